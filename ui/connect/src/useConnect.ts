/** One attempt after another to connect an integration. */

import { useCallback, useEffect, useRef, useState } from 'react';
import { type Api, ApiError } from './api';
import { useUi } from './context';
import { type Watch, watchDevice } from './device';
import type { Form } from './form/fields';
import { type Call, fieldOf } from './form/request';
import { type Authorization, authorize, type Outcome } from './popup';
import { type Problem, problemOf, problemOfError } from './problems';
import type { Track } from './telemetry';
import type { Connected, DeviceCode, Integration, Issue, Session } from './wire';

export type Phase = 'form' | 'checking' | 'waiting' | 'blocked' | 'closed' | 'code';

export interface Attempt {
  phase: Phase;
  /** What the person types in elsewhere, in the phase `code`. */
  code: DeviceCode | null;
  problem: Problem | null;
  /** How often it failed, and how often because of what was typed. */
  failures: number;
  refused: number;
  refusals: Record<string, string>;
  start: (call: Call) => void;
  again: () => void;
  /** Bring the provider's window to the front, or open it anew when it is gone. */
  show: () => void;
  cancel: () => void;
}

interface Task {
  api: Api | null;
  session: Session;
  integration: Integration;
  form: Form;
  track: Track;
  onConnected: (connected: Connected) => void;
  onSessionOver: () => void;
}

const SESSION_CODES = new Set(['unknown_connect_session_token', 'invalid_connect_session_token_format']);

export function useConnect(task: Task): Attempt {
  const { words, detectClosed, send } = useUi();
  const [phase, setPhase] = useState<Phase>('form');
  const [failed, setFailed] = useState({ failures: 0, refused: 0 });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [refusals, setRefusals] = useState<Record<string, string>>({});
  const [code, setCode] = useState<DeviceCode | null>(null);
  const running = useRef<Authorization | null>(null);
  const watching = useRef<Watch | null>(null);
  const last = useRef<Call | null>(null);
  const { api, session, integration, form, track, onConnected, onSessionOver } = task;
  const key = integration.unique_key;

  useEffect(() => {
    const leave = () => {
      running.current?.cancel();
      watching.current?.cancel();
    };
    window.addEventListener('pagehide', leave);
    return () => {
      window.removeEventListener('pagehide', leave);
      leave();
    };
  }, []);

  const tellParent = (errorType: string, errorMessage: string) =>
    send({ type: 'error', payload: { errorType, errorMessage } });

  const fail = (told: Problem, issues: Issue[], over: boolean) => {
    tellParent(told.code, told.detail || told.sentence);
    if (over) {
      onSessionOver();
      return;
    }
    track(told.typed ? 'view:credentials_error' : 'view:unknown_error', key);
    const named = issues.flatMap((issue): [string, string][] => {
      const field = fieldOf(form, issue.path);
      return field === undefined ? [] : [[field, issue.message]];
    });
    setRefusals(Object.fromEntries(named));
    setProblem(told);
    setFailed((was) => ({ failures: was.failures + 1, refused: was.refused + (told.typed ? 1 : 0) }));
    setPhase('form');
  };

  const succeed = (connected: Connected) =>
    onConnected({ ...connected, providerConfigKey: connected.providerConfigKey || key });

  const onOutcome = (outcome: Outcome) => {
    if (outcome.ok) succeed(outcome.connected);
    else {
      const told = problemOf(outcome.code, outcome.message, words, integration.display_name);
      fail(told, [], SESSION_CODES.has(outcome.code));
    }
  };

  const open = (call: Call, own: Api) => {
    running.current?.cancel();
    running.current = authorize({
      api: own,
      path: call.path,
      body: call.body,
      websocketsPath: session.websocketsPath,
      detectClosed,
      wording: words.leaving(integration.display_name),
      onOutcome,
      onState: (state) => {
        setPhase(state);
        if (state === 'blocked') {
          track('popup:blocked_by_browser', key);
          tellParent('blocked_by_browser', words.blocked);
        }
        if (state === 'closed') {
          track('popup:closed_early', key);
          tellParent('window_closed', words.closedEarly);
        }
      },
    });
  };

  const start = (call: Call) => {
    if (api === null) return; // a preview connects nothing
    track('click:connect', key);
    last.current = call;
    setProblem(null);
    setRefusals({});
    if (call.kind === 'popup') {
      open(call, api);
      return;
    }
    setPhase('checking');
    const refuse = (error: unknown) => {
      const known = error instanceof ApiError ? error : new ApiError('unknown_error', '');
      fail(problemOfError(known, words, integration.display_name), known.issues, known.sessionOver);
    };
    if (call.kind === 'device') {
      watching.current?.cancel();
      const onCode = (given: DeviceCode) => {
        setCode(given);
        setPhase('code');
      };
      watching.current = watchDevice(api, call.path, call.body, {
        onCode,
        onConnected: succeed,
        onError: refuse,
      });
      return;
    }
    api.connect(call.path, call.body).then(succeed, refuse);
  };

  const again = () => {
    if (last.current !== null) start(last.current);
  };
  const cancel = useCallback(() => {
    running.current?.cancel();
    watching.current?.cancel();
    setPhase('form');
  }, []);
  const show = () => {
    if (running.current?.focus() !== true) again();
  };
  return { phase, code, problem, ...failed, refusals, start, again, show, cancel };
}
