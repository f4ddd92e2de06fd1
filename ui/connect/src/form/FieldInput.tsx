import { Anchor, NativeSelect, PasswordInput, Textarea, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useUi } from '../context';
import { Eye, EyeShut, Out } from '../Icons';
import type { Words } from '../i18n';
import { Quoting } from '../Quoting';
import type { FormField } from './fields';
import type { Complaint } from './validate';

interface Props {
  field: FormField;
  value: string;
  complaint: Complaint | undefined;
  /** What the server said about this field. */
  refusal: string | undefined;
  hint: string | null;
  docUrl: string | null;
  onChange: (value: string) => void;
  onDoc: () => void;
}

export function FieldInput({ field, value, complaint, refusal, hint, docUrl, onChange, onDoc }: Props) {
  const { words } = useUi();
  const title = titleOf(field, words);
  const warning = field.warnings[value];
  const common = {
    id: field.id,
    name: field.id,
    label: <Label title={title} optional={!field.required} word={words.optional} />,
    description: <Description field={field} hint={hint} docUrl={docUrl} onDoc={onDoc} />,
    error: complaint ? sentenceOf(complaint, title, words) : refusal,
    value,
    autoComplete: field.secret ? 'new-password' : 'off',
    autoCapitalize: 'off',
    spellCheck: false,
    'aria-required': field.required,
    size: 'md' as const,
  };
  const onInput = (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value);
  let input: ReactNode;
  if (field.choices.length > 0) {
    const none = field.required && field.initial !== '' ? [] : [{ value: '', label: words.choose }];
    input = <NativeSelect {...common} data={[...none, ...field.choices]} onChange={onInput} />;
  } else if (field.lines) {
    input = <Lines {...common} title={title} secret={field.secret} onChange={onInput} />;
  } else if (field.secret) {
    input = <Secret {...common} title={title} placeholder={field.example} onChange={onInput} />;
  } else {
    input = (
      <TextInput
        {...common}
        placeholder={field.example}
        onChange={onInput}
        inputMode={field.format === 'email' ? 'email' : field.format === 'uri' ? 'url' : 'text'}
        inputContainer={(inner) => <Affixed field={field}>{inner}</Affixed>}
      />
    );
  }
  return (
    <div className="field">
      {input}
      {warning !== undefined && (
        <p className="note" role="status">
          {warning}
        </p>
      )}
    </div>
  );
}

export const titleOf = (field: FormField, words: Words): string =>
  field.title ?? (words.field as Record<string, string>)[field.name] ?? field.name;

function Label({ title, optional, word }: { title: string; optional: boolean; word: string }) {
  return (
    <>
      {title}
      {optional && <span className="dim"> ({word})</span>}
    </>
  );
}

function Description(props: {
  field: FormField;
  hint: string | null;
  docUrl: string | null;
  onDoc: () => void;
}) {
  const { words } = useUi();
  const { field, hint, docUrl, onDoc } = props;
  if (!field.description && !docUrl && !hint) return null;
  return (
    <>
      <Quoting text={field.description ?? ''} /> {hint}{' '}
      {docUrl !== null && (
        <Anchor href={docUrl} target="_blank" rel="noopener noreferrer" onClick={onDoc} inherit>
          {words.whereToFind}
          {'\u00a0'}
          <Out size={12} />
          <span className="unseen"> ({words.opensNewWindow})</span>
        </Anchor>
      )}
    </>
  );
}

/** What stands around the value: it belongs to it, but need not be typed. */
function Affixed({ field, children }: { field: FormField; children: ReactNode }) {
  if (!field.prefix && !field.suffix) return children;
  return (
    <div className="affixed">
      {field.prefix && <span className="affix">{field.prefix}</span>}
      <div className="affixed-input">{children}</div>
      {field.suffix && <span className="affix">{field.suffix}</span>}
    </div>
  );
}

function Secret({ title, ...rest }: Parameters<typeof PasswordInput>[0] & { title: string }) {
  const { words } = useUi();
  const [shown, setShown] = useState(false);
  const label = shown ? words.hide(title) : words.show(title);
  return (
    <PasswordInput
      {...rest}
      aria-invalid={rest.error ? true : undefined}
      visible={shown}
      onVisibilityChange={setShown}
      visibilityToggleIcon={({ reveal }) => (reveal ? <EyeShut /> : <Eye />)}
      visibilityToggleButtonProps={{ 'aria-label': label, tabIndex: 0 }}
    />
  );
}

type LinesProps = Parameters<typeof Textarea>[0] & { title: string; secret: boolean };

/** A secret of several lines is covered by dots, too, until it is asked for. */
function Lines({ title, secret, ...rest }: LinesProps) {
  const { words } = useUi();
  const [shown, setShown] = useState(!secret);
  return (
    <>
      <Textarea {...rest} rows={4} classNames={{ input: shown ? 'lines' : 'lines covered' }} />
      {secret && (
        <button type="button" className="link" onClick={() => setShown(!shown)}>
          {shown ? words.hide(title) : words.show(title)}
        </button>
      )}
    </>
  );
}

export function sentenceOf(complaint: Complaint, title: string, words: Words): string {
  const example =
    'example' in complaint && complaint.example ? ` ${words.forExample(complaint.example)}` : '';
  switch (complaint.kind) {
    case 'required':
      return words.required(title);
    case 'choice':
      return words.badChoice;
    case 'characters':
      return words.badCharacters;
    case 'pattern':
      return words.badPattern(title) + example;
    case 'format': {
      const sentences = {
        hostname: words.badHostname,
        uuid: words.badUuid,
        email: words.badEmail,
        uri: words.badUri,
      };
      return sentences[complaint.format] + example;
    }
  }
}
