import { Button } from '@mantine/core';
import { type SubmitEvent, useEffect, useRef, useState } from 'react';
import { useUi } from '../context';
import { FieldInput } from './FieldInput';
import { blankSecrets, type Form, initialValues, type Values, visibleFields } from './fields';
import { type Complaint, complaintsOf } from './validate';

interface Props {
  form: Form;
  action: string;
  busy: boolean;
  /** By field: what the server did not accept. */
  refusals: Record<string, string>;
  /** Grows with each refusal of what was typed: secrets are then forgotten, the rest stays. */
  refused: number;
  reconnecting: boolean;
  docsUrl: string | null;
  onSubmit: (values: Values) => void;
  onDocSection: () => void;
}

export function ConnectForm(props: Props) {
  const { form, action, busy, refusals, refused, reconnecting, docsUrl, onSubmit, onDocSection } = props;
  const { words } = useUi();
  const [values, setValues] = useState<Values>(() => initialValues(form));
  const [complaints, setComplaints] = useState<Record<string, Complaint>>({});
  const [changed, setChanged] = useState<ReadonlySet<string>>(new Set());
  const element = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (refused > 0) setValues((all) => ({ ...all, ...blankSecrets(form) }));
  }, [refused, form]);

  const change = (id: string, value: string) => {
    setValues((all) => ({ ...all, [id]: value }));
    setChanged((all) => new Set(all).add(id));
    setComplaints(({ [id]: _, ...others }) => others);
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (busy) return;
    const found = complaintsOf(form, values);
    setComplaints(found);
    setChanged(new Set());
    const first = visibleFields(form, values).find((field) => field.id in found);
    if (first === undefined) onSubmit(values);
    else element.current?.querySelector<HTMLElement>(`[name="${CSS.escape(first.id)}"]`)?.focus();
  };
  const count = Object.keys(complaints).length;

  return (
    <form ref={element} onSubmit={submit} noValidate autoComplete="off">
      {visibleFields(form, values).map((field) => (
        <FieldInput
          key={field.id}
          field={field}
          value={values[field.id] ?? ''}
          complaint={complaints[field.id]}
          refusal={changed.has(field.id) ? undefined : refusals[field.id]}
          hint={reconnecting && field.part === 'config' ? words.keptWhenBlank : null}
          docUrl={docsUrl && field.docSection ? `${docsUrl.split('#')[0]}#${field.docSection}` : null}
          onChange={(value) => change(field.id, value)}
          onDoc={onDocSection}
        />
      ))}
      <p className="unseen" role="status">
        {count > 0 ? words.mending(count) : ''}
      </p>
      <Button type="submit" fullWidth size="md" loading={busy} data-testid="connect">
        {action}
      </Button>
    </form>
  );
}
