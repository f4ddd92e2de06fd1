import { Anchor } from '@mantine/core';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Api } from '../api';
import { useUi } from '../context';
import { ConnectForm } from '../form/ConnectForm';
import { formOf, REDIRECTING } from '../form/fields';
import { byDevice, byStore, callOf } from '../form/request';
import { Heading } from '../Heading';
import { Lock, Out, Warn } from '../Icons';
import { Logo } from '../Logo';
import { Quoting } from '../Quoting';
import type { Track } from '../telemetry';
import { useConnect } from '../useConnect';
import type { Connected, DeviceCode, Integration, Provider, Session } from '../wire';
import { Code } from './Code';
import { Waiting } from './Waiting';

interface Props {
  api: Api | null;
  session: Session;
  integration: Integration;
  provider: Provider;
  track: Track;
  onConnected: (connected: Connected) => void;
  onSessionOver: () => void;
}

/** One integration: what it asks for, the way to the provider, and what came of it. */
export function Connecting(props: Props) {
  const { api, session, integration, provider, track, onConnected, onSessionOver } = props;
  const { words } = useUi();
  const key = integration.unique_key;
  const name = integration.display_name;
  const reconnecting = session.isReconnecting === true;
  const redirects = REDIRECTING.has(provider.auth_mode) && !byStore(provider);
  const preset = session.integrations_config_defaults?.[key]?.connection_config;
  const stored = session.stored_connection_config;
  const form = useMemo(
    () => formOf(provider, { preset, reconnecting, stored }),
    [provider, preset, reconnecting, stored],
  );
  const docs = webAddress(session.overrides?.[key]?.docs_connect ?? provider.docs_connect ?? provider.docs);
  const attempt = useConnect({ api, session, integration, form, track, onConnected, onSessionOver });
  useEffect(() => void track('view:integration', key), [track, key]);

  const lead = reconnecting
    ? words.leadAgain
    : byStore(provider)
      ? words.leadStore
      : byDevice(provider)
        ? words.leadDevice
        : leadOf(words, redirects, provider.auth_mode, form.fields.length > 0);
  const { phase, problem } = attempt;
  const away = phase === 'waiting' || phase === 'blocked' || phase === 'closed';
  const coded: DeviceCode | null = phase === 'code' ? attempt.code : null;
  return (
    <>
      {away && <Waiting phase={phase} name={name} attempt={attempt} />}
      {coded !== null && <Code code={coded} name={name} onCancel={attempt.cancel} />}
      <div hidden={away || coded !== null}>
        <div className="about">
          <Logo name={name} size={48} />
          {!away && coded === null && (
            <Heading>{reconnecting ? words.titleAgain(name) : words.titleFor(name)}</Heading>
          )}
        </div>
        <p className="lead">{lead(name)}</p>
        {docs !== null && (
          <p className="lead">
            <Anchor
              href={docs}
              target="_blank"
              rel="noopener noreferrer"
              inherit
              onClick={() => track('click:doc', key)}
            >
              {words.guide(name)}
              {'\u00a0'}
              <Out size={13} />
              <span className="unseen"> ({words.opensNewWindow})</span>
            </Anchor>
          </p>
        )}
        {problem !== null && (
          <Trouble key={attempt.failures} sentence={problem.sentence} detail={problem.detail} />
        )}
        <ConnectForm
          form={form}
          action={redirects && !byDevice(provider) ? words.continueTo(name) : words.connect}
          busy={phase === 'checking'}
          refusals={attempt.refusals}
          refused={attempt.refused}
          reconnecting={reconnecting}
          docsUrl={docs}
          onSubmit={(values) => attempt.start(callOf(provider, key, form, values))}
          onDocSection={() => track('click:doc_section', key)}
        />
        <p className="small" role="status">
          {phase === 'checking' ? words.checking(name) : ''}
        </p>
        {form.fields.length > 0 && (
          <p className="small">
            <Lock size={14} /> {words.stored}
          </p>
        )}
      </div>
    </>
  );
}

function Trouble({ sentence, detail }: { sentence: string; detail: string }) {
  const { words } = useUi();
  const element = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => element.current?.focus(), []);
  return (
    <div className="trouble" role="alert" tabIndex={-1} ref={element} data-testid="problem">
      <Warn />
      <div>
        <p>
          <strong>{words.errorTitle}.</strong> {sentence}
        </p>
        {detail !== '' && (
          <>
            <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>
              {words.errorDetail}
            </button>
            {open && (
              <p className="detail" lang="en">
                <Quoting text={detail} />
              </p>
            )}
          </>
        )}
      </div>
    </div>
  );
}

function leadOf(
  words: ReturnType<typeof useUi>['words'],
  redirects: boolean,
  mode: Provider['auth_mode'],
  asks: boolean,
): (name: string) => string {
  if (redirects) return asks ? words.leadPopupForm : words.leadPopup;
  return mode === 'NONE' && !asks ? words.leadNone : words.leadForm;
}

/** Only the web: a link of another kind could run something. */
function webAddress(url: string | undefined): string | null {
  return url !== undefined && /^https?:\/\//i.test(url) ? url : null;
}
