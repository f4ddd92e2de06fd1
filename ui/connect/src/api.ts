/** Calls to the server. The token stands in a header, never in an address. */

import type { Connected, DeviceCode, DeviceStanding, Integration, Issue, Provider, Session } from './wire';

/** What went wrong, by the server's code; `offline` where nobody answered. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly issues: Issue[] = [],
  ) {
    super(message);
  }

  /** The session is over, or never was one. */
  get sessionOver(): boolean {
    return this.status === 401;
  }
}

export class Api {
  readonly base: URL;
  readonly token: string;
  readonly #language: string;

  constructor(base: URL, token: string, language: string) {
    this.base = base;
    this.token = token;
    this.#language = language;
  }

  url(path: string): URL {
    return new URL(path, this.base);
  }

  async session(signal?: AbortSignal): Promise<Session> {
    return (await this.#call<{ data: Session }>('GET', this.url('connect/session'), { signal })).data;
  }

  async integrations(signal?: AbortSignal): Promise<Integration[]> {
    return (await this.#call<{ data: Integration[] }>('GET', this.url('integrations'), { signal })).data;
  }

  async provider(name: string, signal?: AbortSignal): Promise<Provider> {
    const url = this.url(`providers/${encodeURIComponent(name)}`);
    return (await this.#call<{ data: Provider }>('GET', url, { signal })).data;
  }

  async connect(path: string, body: unknown, signal?: AbortSignal): Promise<Connected> {
    return this.#call<Connected>('POST', this.url(path), { body, signal });
  }

  async device(path: string, body: unknown, signal?: AbortSignal): Promise<DeviceCode> {
    return (await this.#call<{ data: DeviceCode }>('POST', this.url(path), { body, signal })).data;
  }

  async deviceStanding(id: string, signal?: AbortSignal): Promise<DeviceStanding> {
    const url = this.url(`oauth/device/${encodeURIComponent(id)}`);
    return (await this.#call<{ data: DeviceStanding }>('GET', url, { signal })).data;
  }

  /** End the session: nobody can connect anything with its link any more. */
  async end(): Promise<void> {
    await this.#call('DELETE', this.url('connect/session'), { keepalive: true });
  }

  async #call<T>(
    method: string,
    url: URL,
    how: { body?: unknown; signal?: AbortSignal; keepalive?: boolean },
  ): Promise<T> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${this.token}`,
      Accept: 'application/json',
      'Accept-Language': this.#language,
    };
    if (how.body !== undefined) headers['Content-Type'] = 'application/json';
    let answer: Response;
    try {
      answer = await fetch(url, {
        method,
        headers,
        body: how.body === undefined ? undefined : JSON.stringify(how.body),
        signal: how.signal,
        keepalive: how.keepalive,
        credentials: 'omit',
        redirect: 'error',
        cache: 'no-store',
      });
    } catch (error) {
      if (how.signal?.aborted) throw error;
      throw new ApiError('offline', 'The server could not be reached.');
    }
    if (answer.status === 204) return undefined as T;
    const content: unknown = await answer.json().catch(() => null);
    if (!answer.ok || content === null) throw readError(answer.status, content);
    return content as T;
  }
}

export function readError(status: number, content: unknown): ApiError {
  const error = (content as { error?: { code?: unknown; message?: unknown; errors?: unknown } } | null)
    ?.error;
  const code = typeof error?.code === 'string' ? error.code : 'unknown_error';
  const message = typeof error?.message === 'string' ? error.message : '';
  const issues = Array.isArray(error?.errors) ? (error.errors as Issue[]).filter(isIssue) : [];
  return new ApiError(code, message || issues[0]?.message || `HTTP ${status}`, status, issues);
}

const isIssue = (issue: unknown): issue is Issue =>
  typeof issue === 'object' && issue !== null && typeof (issue as Issue).message === 'string';
