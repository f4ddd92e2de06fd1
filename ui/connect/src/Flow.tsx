import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { type Api, ApiError } from './api';
import { useUi } from './context';
import { Tick, Warn } from './Icons';
import { problemOfError } from './problems';
import { mayEmbed, readSettings } from './protocol';
import { Shell } from './Shell';
import { SAMPLE_INTEGRATIONS, SAMPLE_PROVIDERS, SAMPLE_SESSION } from './sample';
import { Connecting } from './screens/Connecting';
import { Done } from './screens/Done';
import { Loading } from './screens/Loading';
import { Message } from './screens/Message';
import { Picker } from './screens/Picker';
import { type TelemetryEvent, type Track, tracker } from './telemetry';
import type { Connected, Integration, Settings } from './wire';

interface Props {
  /** Null: a preview without a session. */
  api: Api | null;
  parentOrigin: string | null;
  settings: Settings;
  onSettings: (settings: Settings) => void;
  onClose: () => void;
}

type Ending = 'session over' | 'finished';

/** The way through the page: pick, connect, done. */
export function Flow({ api, parentOrigin, settings, onSettings, onClose }: Props) {
  const ui = useUi();
  const { framed, embedded, send } = ui;
  const session = useQuery({
    queryKey: ['session'],
    queryFn: ({ signal }) => api?.session(signal) ?? SAMPLE_SESSION,
  });
  const integrations = useQuery({
    queryKey: ['integrations'],
    queryFn: ({ signal }) => api?.integrations(signal) ?? SAMPLE_INTEGRATIONS,
  });
  const [picked, setPicked] = useState<Integration | null>(null);
  const [connected, setConnected] = useState<Connected | null>(null);
  const [ending, setEnding] = useState<Ending | null>(null);

  const track = useMemo<Track>(
    () => (api === null || ui.preview ? async () => {} : tracker(api)),
    [api, ui.preview],
  );
  const opened = useRef(false);
  useEffect(() => {
    if (!opened.current) track('open');
    opened.current = true;
  }, [track]);

  useEffect(() => {
    const own = readSettings(session.data?.connectUISettings);
    if (own !== null) onSettings(own);
  }, [session.data, onSettings]);

  const choices = useMemo(
    () => inOrder(integrations.data ?? [], session.data?.allowed_integrations, ui.language),
    [integrations.data, session.data, ui.language],
  );
  const chosen = choices.length === 1 ? (choices[0] ?? null) : picked;
  const provider = useQuery({
    queryKey: ['provider', chosen?.provider],
    queryFn: ({ signal }) => api?.provider(chosen?.provider ?? '', signal) ?? sampleOf(chosen),
    enabled: chosen !== null,
  });

  const failure = session.error ?? integrations.error ?? (chosen === null ? null : provider.error);
  useEffect(() => {
    if (failure === null) return;
    const { code, message } =
      failure instanceof ApiError ? failure : new ApiError('unknown_error', String(failure));
    send({ type: 'error', payload: { errorType: code, errorMessage: message } });
    track('view:unknown_error');
  }, [failure, send, track]);

  const onConnected = useCallback(
    (made: Connected) => {
      setConnected(made);
      send({ type: 'connect', payload: made });
    },
    [send],
  );
  const over = useCallback(() => setEnding('session over'), []);
  const finish = () => {
    const told = track('click:finish', chosen?.unique_key);
    if (framed) onClose();
    else {
      setEnding('finished');
      // The link has done its work. In a frame the session is the parent's, which may go on with it.
      void told.then(() => api?.end()).catch(() => {});
    }
  };
  const leave = (event: TelemetryEvent) => {
    track(event, chosen?.unique_key);
    onClose();
  };
  const startOver = () => {
    setConnected(null);
    setPicked(null);
  };
  const retry = () => {
    for (const query of [session, integrations, provider]) if (query.error !== null) void query.refetch();
  };
  const back = choices.length > 1 && picked !== null && connected === null && ending === null;
  const closable = framed && !embedded;

  const content = () => {
    if (ending === 'finished') return <Finished />;
    if (ending === 'session over' || (failure instanceof ApiError && failure.sessionOver))
      return <SessionOver />;
    if (failure !== null) return <Failed error={failure} name={chosen?.display_name ?? ''} onRetry={retry} />;
    if (session.data === undefined || integrations.data === undefined) return <Loading />;
    if (!mayEmbed(session.data, framed, parentOrigin)) return <NotEmbeddable />;
    if (connected !== null && chosen !== null) {
      const another = !framed && choices.length > 1;
      return (
        <Done
          name={chosen.display_name}
          integration={chosen.unique_key}
          pending={connected.isPending ? (provider.data?.installation ? 'install' : 'approve') : undefined}
          again={session.data.isReconnecting === true}
          track={track}
          onFinish={finish}
          onAnother={another ? startOver : undefined}
        />
      );
    }
    if (chosen === null) {
      const pick = (one: Integration) => {
        track('click:integration', one.unique_key);
        setPicked(one);
      };
      return <Picker integrations={choices} onPick={pick} track={track} />;
    }
    if (provider.data === undefined) return <Loading />;
    return (
      <Connecting
        key={chosen.unique_key}
        api={api}
        session={session.data}
        integration={chosen}
        provider={provider.data}
        track={track}
        onConnected={onConnected}
        onSessionOver={over}
      />
    );
  };

  return (
    <Shell
      watermark={settings.showWatermark}
      onBack={back ? () => setPicked(null) : undefined}
      onClose={closable ? () => leave('click:close') : undefined}
      onOutside={closable ? () => leave('click:outside') : undefined}
    >
      {content()}
    </Shell>
  );
}

/** As the session lists them, else by name. */
function inOrder(all: Integration[], allowed: string[] | undefined, language: string): Integration[] {
  const place = (one: Integration) => allowed?.indexOf(one.unique_key) ?? 0;
  return [...all].sort(
    (a, b) =>
      place(a) - place(b) || a.display_name.localeCompare(b.display_name, language, { numeric: true }),
  );
}

function sampleOf(chosen: Integration | null) {
  const found = SAMPLE_PROVIDERS[chosen?.provider ?? ''];
  if (found === undefined) throw new ApiError('not_found', 'There is no such sample.');
  return found;
}

function SessionOver() {
  const { words, framed } = useUi();
  return (
    <Message tone="bad" icon={<Warn size={28} />} title={words.sessionOver} testid="session-over">
      <p>{framed ? words.sessionOverText : words.sessionOverLink}</p>
    </Message>
  );
}

function NotEmbeddable() {
  const { words } = useUi();
  return (
    <Message tone="bad" icon={<Warn size={28} />} title={words.notEmbeddable} testid="not-embeddable">
      <p>{words.notEmbeddableText}</p>
    </Message>
  );
}

function Finished() {
  const { words } = useUi();
  return (
    <Message tone="good" icon={<Tick size={28} />} title={words.done} testid="finished">
      <p>{words.canClose}</p>
    </Message>
  );
}

function Failed({ error, name, onRetry }: { error: Error; name: string; onRetry: () => void }) {
  const { words } = useUi();
  const problem = problemOfError(error, words, name);
  const retry = (
    <Button size="md" onClick={onRetry}>
      {words.tryAgain}
    </Button>
  );
  return (
    <Message tone="bad" icon={<Warn size={28} />} title={words.errorTitle} testid="failed" actions={retry}>
      <p>{problem.sentence}</p>
    </Message>
  );
}
