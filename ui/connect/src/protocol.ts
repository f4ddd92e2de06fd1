/** The messages between this page and the page that shows it in an iframe. */

import type { Connected, Session, Settings } from './wire';

export type Outgoing =
  | { type: 'ready' }
  | { type: 'connect'; payload: Connected }
  | { type: 'error'; payload: { errorType: string; errorMessage: string } }
  | { type: 'close' };

export type Incoming =
  | { type: 'session_token'; sessionToken: string }
  | { type: 'settings_changed'; payload: Settings };

interface Listeners {
  onToken: (token: string) => void;
  onSettings: (settings: Settings) => void;
}

/** The part of a window that is used, so that tests need no browser. */
export interface Place {
  self: Pick<Window, 'addEventListener' | 'removeEventListener'>;
  parent: Pick<Window, 'postMessage'> | null;
  ancestor: string | null;
  referrer: string;
}

const COLOUR = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i;

/**
 * Talks to the parent window and to nobody else.
 *
 * The parent's origin comes from the browser (`ancestorOrigins`), where there is none from the referrer, at last from
 * the parent's first valid message. Messages go to exactly that origin; only `ready` and `close`, which tell nothing,
 * go to an origin not known. A parent without an origin (`null`: a sandbox, a file) therefore learns no result.
 */
export class Parent {
  #origin: string | null;
  readonly #hint: string | null;
  readonly #place: Place;
  #tokenTaken = false;

  constructor(place: Place) {
    this.#place = place;
    this.#origin = exact(place.ancestor);
    this.#hint = exact(originOf(place.referrer));
  }

  get present(): boolean {
    return this.#place.parent !== null;
  }

  /** Where the parent is from, as far as the browser tells. */
  get origin(): string | null {
    return this.#origin ?? this.#hint;
  }

  listen(listeners: Listeners, options: { preview: boolean; tokenKnown: boolean }): () => void {
    this.#tokenTaken ||= options.tokenKnown;
    const onMessage = (event: MessageEvent) => {
      if (this.#place.parent === null || event.source !== this.#place.parent) return;
      if (this.#origin !== null && event.origin !== this.#origin) return;
      const message = read(event.data);
      if (message === null) return;
      this.#origin ??= exact(event.origin);
      if (message.type === 'settings_changed') {
        if (options.preview) listeners.onSettings(message.payload);
      } else if (!this.#tokenTaken) {
        this.#tokenTaken = true;
        listeners.onToken(message.sessionToken);
      }
    };
    this.#place.self.addEventListener('message', onMessage as EventListener);
    return () => this.#place.self.removeEventListener('message', onMessage as EventListener);
  }

  send(message: Outgoing): void {
    const silent = message.type === 'ready' || message.type === 'close';
    const target = this.#origin ?? (silent ? (this.#hint ?? '*') : null);
    if (target !== null) this.#place.parent?.postMessage(message, target);
  }
}

export function placeOf(own: Window): Place {
  const parent = own.parent === own ? null : own.parent;
  const ancestors = own.location.ancestorOrigins;
  return { self: own, parent, ancestor: ancestors?.[0] ?? null, referrer: own.document.referrer };
}

function originOf(url: string): string | null {
  try {
    return new URL(url).origin;
  } catch {
    return null;
  }
}

const exact = (origin: string | null): string | null => (!origin || origin === 'null' ? null : origin);

function read(data: unknown): Incoming | null {
  if (typeof data !== 'object' || data === null) return null;
  const { type, sessionToken, payload } = data as Record<string, unknown>;
  if (type === 'session_token' && typeof sessionToken === 'string') return { type, sessionToken };
  const settings = type === 'settings_changed' ? readSettings(payload) : null;
  return settings && { type: 'settings_changed', payload: settings };
}

/** Settings as far as they are usable; colours end in style sheets, so nothing but a hexadecimal colour passes. */
export function readSettings(raw: unknown): Settings | null {
  if (typeof raw !== 'object' || raw === null) return null;
  const { theme, defaultTheme, showWatermark } = raw as Record<string, unknown>;
  const light = primary(theme, 'light');
  const dark = primary(theme, 'dark');
  if (light === null || dark === null) return null;
  return {
    theme: { light: { primary: light }, dark: { primary: dark } },
    defaultTheme: defaultTheme === 'light' || defaultTheme === 'dark' ? defaultTheme : 'system',
    showWatermark: showWatermark !== false,
  };
}

function primary(theme: unknown, scheme: string): string | null {
  const value = (theme as Record<string, { primary?: unknown } | undefined> | undefined)?.[scheme]?.primary;
  return typeof value === 'string' && COLOUR.test(value) ? value : null;
}

/** Where an environment names the pages that may embed this one, an origin that is not known is not among them. */
export function mayEmbed(session: Session, framed: boolean, origin: string | null): boolean {
  const allowed = session.allowed_embedding_origins ?? [];
  return !framed || allowed.length === 0 || (origin !== null && allowed.includes(origin));
}
