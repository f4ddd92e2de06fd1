import { expect, test } from 'vitest';
import { Parent, readSettings } from './protocol';
import type { Settings } from './wire';

const APP = 'https://app.example.com';
const SETTINGS: Settings = {
  theme: { light: { primary: '#123456' }, dark: { primary: '#abc' } },
  defaultTheme: 'dark',
  showWatermark: true,
};

function meet(place: { ancestor?: string | null; referrer?: string } = {}, options = {}) {
  const sent: [unknown, string][] = [];
  const heard: unknown[] = [];
  let deliver: (event: unknown) => void = () => {};
  const frame = { postMessage: (message: unknown, target: string) => sent.push([message, target]) };
  const parent = new Parent({
    self: {
      addEventListener: (_: string, listener: unknown) => {
        deliver = listener as (event: unknown) => void;
      },
      removeEventListener: () => {},
    } as unknown as Window,
    parent: frame as unknown as Window,
    ancestor: place.ancestor ?? null,
    referrer: place.referrer ?? '',
  });
  const how = { preview: false, tokenKnown: false, ...options };
  const take = (what: unknown) => heard.push(what);
  parent.listen({ onToken: take, onSettings: take }, how);
  const say = (data: unknown, origin = APP, source: unknown = frame) => deliver({ data, origin, source });
  return { parent, sent, heard, say };
}

const token = (sessionToken: string) => ({ type: 'session_token', sessionToken });

test('the token is taken once', () => {
  const { heard, say } = meet({ ancestor: APP });
  say(token('one'));
  say(token('two'));
  expect(heard).toEqual(['one']);
});

test('a link that brought its token takes no other', () => {
  const { heard, say } = meet({ ancestor: APP }, { tokenKnown: true });
  say(token('one'));
  expect(heard).toEqual([]);
});

test('only the parent is heard, only from its origin, only in the right form', () => {
  const { heard, say } = meet({ ancestor: APP });
  say(token('x'), APP, {});
  say(token('x'), 'https://evil.example');
  for (const data of [null, 'session_token', { type: 'session_token' }, token(7 as unknown as string)])
    say(data);
  expect(heard).toEqual([]);
  say(token('right'));
  expect(heard).toEqual(['right']);
});

test('messages go to the origin the browser names', () => {
  const { parent, sent } = meet({ ancestor: APP });
  parent.send({ type: 'ready' });
  parent.send({ type: 'connect', payload: { providerConfigKey: 'k', connectionId: 'c' } });
  expect(sent.map(([, target]) => target)).toEqual([APP, APP]);
});

test('without one, the first message fixes it; before that, nothing but a greeting is sent', () => {
  const { parent, sent, say } = meet();
  parent.send({ type: 'ready' });
  parent.send({ type: 'error', payload: { errorType: 'e', errorMessage: 'm' } });
  expect(sent).toEqual([[{ type: 'ready' }, '*']]);
  say(token('one'));
  parent.send({ type: 'error', payload: { errorType: 'e', errorMessage: 'm' } });
  expect(sent.at(-1)?.[1]).toBe(APP);
  say(token('two'), 'https://evil.example');
});

test('a referrer is good enough for the greeting', () => {
  const { parent, sent } = meet({ referrer: `${APP}/settings?x=1` });
  parent.send({ type: 'ready' });
  expect(sent[0]?.[1]).toBe(APP);
});

test('a parent without an origin learns no result', () => {
  const { parent, sent, say } = meet({ ancestor: 'null' });
  say(token('one'), 'null');
  parent.send({ type: 'connect', payload: { providerConfigKey: 'k', connectionId: 'c' } });
  parent.send({ type: 'close' });
  expect(sent).toEqual([[{ type: 'close' }, '*']]);
});

test('settings are changed in a preview only', () => {
  const message = { type: 'settings_changed', payload: SETTINGS };
  const real = meet({ ancestor: APP });
  real.say(message);
  expect(real.heard).toEqual([]);
  const preview = meet({ ancestor: APP }, { preview: true });
  preview.say(message);
  expect(preview.heard).toEqual([SETTINGS]);
});

test('a colour is a colour and no style sheet', () => {
  const bad = {
    ...SETTINGS,
    theme: { light: { primary: 'red;} body{display:none' }, dark: { primary: '#fff' } },
  };
  expect(readSettings(bad)).toBeNull();
  expect(readSettings(null)).toBeNull();
  expect(readSettings({ theme: {} })).toBeNull();
});
