import { MantineProvider } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Options } from './address';
import { Api, ApiError } from './api';
import { Boundary } from './Boundary';
import { type Ui, UiContext, useUi } from './context';
import { Flow } from './Flow';
import { Warn } from './Icons';
import type { Language, Words } from './i18n';
import type { Outgoing, Parent } from './protocol';
import { Shell } from './Shell';
import { Loading } from './screens/Loading';
import { Message } from './screens/Message';
import { DEFAULTS, schemeOf, theme, variables } from './theme';
import { useToken } from './useToken';
import type { Settings } from './wire';

interface Props {
  options: Options;
  parent: Parent;
  language: Language;
  words: Words;
  nonce: string;
}

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (count, error) => count < 2 && error instanceof ApiError && error.code === 'offline',
    },
  },
});

export function App({ options, parent, language, words, nonce }: Props) {
  const [own, setOwn] = useState<Settings>(DEFAULTS);
  const [live, setLive] = useState<Settings | null>(null);
  const [closed, setClosed] = useState(false);
  const token = useToken(options, parent, setLive);
  const settings = live ?? own;
  const dark = useMediaQuery('(prefers-color-scheme: dark)', false, { getInitialValueInEffect: false });
  const scheme = schemeOf(options.theme, settings, dark);
  const resolver = useMemo(() => variables(settings), [settings]);

  const api = useMemo(
    () => (token.state === 'known' ? new Api(options.apiBase, token.token, language) : null),
    [token, options, language],
  );
  const send = useCallback((message: Outgoing) => parent.send(message), [parent]);
  const ui = useMemo<Ui>(
    () => ({
      words,
      language,
      framed: parent.present,
      embedded: options.embedded,
      preview: options.preview,
      detectClosed: options.detectClosedAuthWindow,
      send,
    }),
    [words, language, parent, options, send],
  );
  const close = useCallback(() => setClosed(true), []);
  useEffect(() => {
    if (closed) send({ type: 'close' }); // by now nothing is shown, and a provider's window is closed
  }, [closed, send]);

  const closable = parent.present && !options.embedded;
  return (
    <MantineProvider
      theme={theme}
      forceColorScheme={scheme}
      cssVariablesResolver={resolver}
      getStyleNonce={() => nonce}
      deduplicateInlineStyles
    >
      <QueryClientProvider client={queries}>
        <UiContext.Provider value={ui}>
          <Boundary fallback={<Broken onClose={closable ? close : undefined} />}>
            {closed ? null : token.state === 'missing' ? (
              <NoToken onClose={closable ? close : undefined} />
            ) : token.state === 'known' || options.preview ? (
              <Flow
                key={api === null ? 'sample' : 'session'}
                api={api}
                parentOrigin={parent.origin}
                settings={settings}
                onSettings={setOwn}
                onClose={close}
              />
            ) : (
              <Shell watermark={false} onClose={closable ? close : undefined}>
                <Loading />
              </Shell>
            )}
          </Boundary>
        </UiContext.Provider>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function NoToken({ onClose }: { onClose?: () => void }) {
  const { words, framed, send } = useUi();
  useEffect(
    () =>
      send({
        type: 'error',
        payload: { errorType: 'missing_connect_session_token', errorMessage: words.noToken },
      }),
    [send, words],
  );
  return (
    <Shell watermark={false} onClose={onClose}>
      <Message tone="bad" icon={<Warn size={28} />} title={words.noToken} testid="no-token">
        <p>{framed ? words.noTokenText : words.noTokenLink}</p>
      </Message>
    </Shell>
  );
}

function Broken({ onClose }: { onClose?: () => void }) {
  const { words } = useUi();
  return (
    <Shell watermark={false} onClose={onClose}>
      <Message tone="bad" icon={<Warn size={28} />} title={words.errorTitle} testid="broken">
        <p>{words.errorUnknown}</p>
      </Message>
    </Shell>
  );
}
