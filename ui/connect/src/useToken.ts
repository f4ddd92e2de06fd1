/** How the page comes by its session's token: from its address (a link), or from the page that frames it. */

import { useEffect, useState } from 'react';
import { isToken, type Options } from './address';
import type { Parent } from './protocol';
import type { Settings } from './wire';

export type Token = { state: 'waiting' } | { state: 'missing' } | { state: 'known'; token: string };

const PATIENCE_MS = 10_000;

export function useToken(options: Options, parent: Parent, onSettings: (settings: Settings) => void): Token {
  const [token, setToken] = useState<Token>(() => first(options, parent));

  useEffect(() => {
    const take = (text: string) =>
      setToken(isToken(text) ? { state: 'known', token: text } : { state: 'missing' });
    const how = { preview: options.preview, tokenKnown: options.token !== null };
    const stop = parent.listen({ onToken: take, onSettings }, how);
    if (parent.present) parent.send({ type: 'ready' });
    return stop;
  }, [options, parent, onSettings]);

  useEffect(() => {
    if (token.state !== 'waiting' || options.preview) return;
    const timer = setTimeout(() => setToken({ state: 'missing' }), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [token, options]);

  return token;
}

function first(options: Options, parent: Parent): Token {
  if (options.token !== null) {
    return isToken(options.token) ? { state: 'known', token: options.token } : { state: 'missing' };
  }
  return { state: parent.present || options.preview ? 'waiting' : 'missing' };
}
