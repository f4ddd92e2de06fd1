import type { ThemeChoice } from './wire';

/** What the page's address asks for. */
export interface Options {
  /** Where the server answers; ends in a slash. */
  apiBase: URL;
  detectClosedAuthWindow: boolean;
  lang: string | null;
  theme: ThemeChoice | null;
  token: string | null;
  embedded: boolean;
  preview: boolean;
  popup: boolean;
}

const TOKEN = /^nango_connect_session_[0-9a-f]{64}$/;
const THEMES = new Set(['light', 'dark', 'system']);

export const isToken = (text: unknown): text is string => typeof text === 'string' && TOKEN.test(text);

export function readAddress(address: string): Options {
  const url = new URL(address);
  const query = url.searchParams;
  const theme = query.get('theme') ?? '';
  return {
    apiBase: apiBase(url),
    detectClosedAuthWindow: query.get('detectClosedAuthWindow') !== 'false',
    lang: query.get('lang'),
    theme: THEMES.has(theme) ? (theme as ThemeChoice) : null,
    token: query.get('session_token'),
    embedded: query.get('embedded') === 'true',
    preview: query.get('preview') === 'true',
    popup: query.has('popup'),
  };
}

/**
 * The server that delivered the page, or another place on that origin which `apiURL` names.
 *
 * An `apiURL` of another origin is not used: whoever can make a link could otherwise have the session's token, and
 * what a person types, sent to a server of their own. Nothing is lost, as every server of ours that shows this page
 * answers the API on the same port; the policy the page is served with (`connect-src 'self'`) says the same.
 */
function apiBase(page: URL): URL {
  const at = page.pathname.lastIndexOf('/connect-ui');
  const own = new URL(at < 0 ? '/' : page.pathname.slice(0, at + 1), page.origin);
  const asked = page.searchParams.get('apiURL');
  const parsed = asked === null ? null : tryUrl(asked);
  if (parsed === null || parsed.origin !== page.origin) return own;
  return new URL(parsed.pathname.endsWith('/') ? parsed.pathname : `${parsed.pathname}/`, page.origin);
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** The address without the token, which must stand neither in the history nor in a Referer. */
export function withoutToken(address: string): string {
  const url = new URL(address);
  url.searchParams.delete('session_token');
  return url.pathname + url.search + url.hash;
}

/** Whether `apiURL` names an origin that is not used. */
export function foreignApi(address: string): boolean {
  const url = new URL(address);
  const asked = url.searchParams.get('apiURL');
  return asked !== null && tryUrl(asked)?.origin !== url.origin;
}
