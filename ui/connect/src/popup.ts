/**
 * An authorization in a window of its own.
 *
 * The window opens in the click itself, or browsers block it. It shows `popup.html`, a page of ours, which asks for the
 * session's token, begins the authorization with it in a header and leaves for the provider: so the token stands in no
 * address, and the cookie that ties the way back to this browser is set first-party, whoever shows this page in a frame.
 */

import type { Api } from './api';
import { openSocket, type Socket, socketUrl } from './socket';
import type { Connected } from './wire';

export type Outcome = { ok: true; connected: Connected } | { ok: false; code: string; message: string };

export type PopupState = 'waiting' | 'blocked' | 'closed';

export interface Plan {
  api: Api;
  path: string;
  body: Record<string, unknown>;
  websocketsPath?: string;
  detectClosed: boolean;
  /** Said by the window until it leaves. */
  wording: string;
  onState: (state: PopupState) => void;
  onOutcome: (outcome: Outcome) => void;
}

export interface Authorization {
  /** Show the window again; false when it is gone. */
  focus(): boolean;
  cancel(): void;
}

/** What the two pages of ours say to each other, always with their own origin as target. */
export type PopupMessage =
  | { type: 'dragoman_popup_ready' }
  | { type: 'dragoman_popup_go'; url: string; token: string; body: Record<string, unknown>; wording: string }
  | { type: 'dragoman_popup_connected'; providerConfigKey: string; connectionId: string }
  | { type: 'dragoman_popup_failed'; code: string; message: string };

const FEATURES = 'popup,width=500,height=600';
const CHANNEL = 'nango-oauth-callback';
const ACK = { type: 'nango_oauth_callback_ack' };
const POLL_MS = 500;
/** A window that closes itself after success may be seen closed before the success is heard. */
const LATE_MS = 1500;

export function authorize(plan: Plan): Authorization {
  const popup = window.open(new URL('popup.html', document.baseURI), '_blank', centred(FEATURES));
  if (popup === null || popup.closed) {
    plan.onState('blocked');
    return { focus: () => false, cancel: () => {} };
  }
  return new Running(plan, popup);
}

class Running implements Authorization {
  #over = false;
  #name: string | null = null;
  #closedAt: number | null = null;
  readonly #socket: Socket;
  readonly #poll: ReturnType<typeof setInterval>;
  readonly #channel: BroadcastChannel | null;

  constructor(
    private readonly plan: Plan,
    private readonly popup: Window,
  ) {
    this.#socket = openSocket(socketUrl(plan.api.base, plan.websocketsPath), (outcome) =>
      this.#finish(outcome),
    );
    this.#channel = openChannel((data) => this.#hearChannel(data));
    this.#poll = setInterval(() => this.#look(), POLL_MS);
    window.addEventListener('message', this.#onMessage);
    plan.onState('waiting');
  }

  focus(): boolean {
    if (this.popup.closed) return false;
    this.popup.focus();
    return true;
  }

  cancel(): void {
    this.#stop();
    this.popup.close();
  }

  /** From the window itself only, and only from our own origin: ours before it leaves, the callback page after. */
  readonly #onMessage = (event: MessageEvent): void => {
    if (event.source !== this.popup || event.origin !== this.plan.api.base.origin) return;
    const message = event.data as PopupMessage | undefined;
    if (message?.type === 'dragoman_popup_ready') void this.#go();
    else if (message?.type === 'dragoman_popup_connected') {
      const { providerConfigKey, connectionId } = message;
      this.popup.close();
      this.#finish({ ok: true, connected: { providerConfigKey, connectionId } });
    } else if (message?.type === 'dragoman_popup_failed') {
      this.popup.close();
      this.#finish({ ok: false, code: String(message.code), message: String(message.message) });
    } else {
      const outcome = callbackOutcome(event.data);
      if (outcome === null) return;
      this.popup.postMessage(ACK, event.origin);
      this.#finish(outcome);
    }
  };

  /** Every window of this origin hears the channel: only what names our socket is meant for us. */
  #hearChannel(data: unknown): void {
    const outcome = callbackOutcome(data);
    if (outcome === null || this.#name === null || wsClientOf(data) !== this.#name) return;
    this.#channel?.postMessage(ACK);
    this.#finish(outcome);
  }

  async #go(): Promise<void> {
    this.#name ??= await this.#socket.name;
    if (this.#over) return;
    const { api, path, wording } = this.plan;
    const body = this.#name === null ? this.plan.body : { ...this.plan.body, ws_client_id: this.#name };
    const go: PopupMessage = {
      type: 'dragoman_popup_go',
      url: api.url(path).href,
      token: api.token,
      body,
      wording,
    };
    this.popup.postMessage(go, window.location.origin);
  }

  /** Some providers cut the window loose, which looks like closed: so we keep listening and take a late success. */
  #look(): void {
    if (!this.popup.closed || !this.plan.detectClosed) return;
    this.#closedAt ??= Date.now();
    if (Date.now() - this.#closedAt < LATE_MS) return;
    clearInterval(this.#poll);
    this.plan.onState('closed');
  }

  #finish(outcome: Outcome): void {
    if (this.#over) return;
    this.#stop();
    this.plan.onOutcome(outcome);
  }

  #stop(): void {
    this.#over = true;
    clearInterval(this.#poll);
    window.removeEventListener('message', this.#onMessage);
    this.#channel?.close();
    this.#socket.close();
  }
}

/** What the page a provider returns to says; null for anything else. Without a connection it is no success. */
export function callbackOutcome(data: unknown): Outcome | null {
  const { type, payload } = (data ?? {}) as { type?: unknown; payload?: Record<string, unknown> };
  if (type === 'nango_oauth_callback_error') {
    return {
      ok: false,
      code: String(payload?.errorType ?? 'unknown_error'),
      message: String(payload?.message ?? ''),
    };
  }
  if (type !== 'nango_oauth_callback_success' || typeof payload?.connectionId !== 'string') return null;
  return {
    ok: true,
    connected: {
      providerConfigKey: String(payload.providerConfigKey ?? ''),
      connectionId: payload.connectionId,
      ...(payload.isPending === true ? { isPending: true } : {}),
    },
  };
}

const wsClientOf = (data: unknown): unknown =>
  (data as { payload?: { wsClientId?: unknown } }).payload?.wsClientId;

function openChannel(onData: (data: unknown) => void): BroadcastChannel | null {
  try {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = (event) => onData(event.data);
    return channel;
  } catch {
    return null; // storage is forbidden in this frame
  }
}

function centred(features: string): string {
  const left = Math.round(window.screenX + (window.outerWidth - 500) / 2);
  const top = Math.round(window.screenY + (window.outerHeight - 600) / 2);
  return `${features},left=${left},top=${top}`;
}
