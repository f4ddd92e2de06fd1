import { expect, test } from 'vitest';
import { ApiError } from './api';
import { watchDevice, webAddress } from './device';
import type { DeviceStanding } from './wire';

const CODE = {
  id: 'd1',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://tv.example/activate',
  verification_uri_complete: null,
  expires_in: 600,
  interval: 5,
};

function played(standings: (DeviceStanding | ApiError)[]) {
  const told: unknown[] = [];
  const waits: number[] = [];
  const api = {
    device: async () => CODE,
    deviceStanding: async () => {
      const next = standings.shift();
      if (next === undefined || next instanceof ApiError) throw next;
      return next;
    },
  };
  return new Promise<{ told: unknown[]; waits: number[] }>((done) => {
    const end = (what: unknown) => {
      told.push(what);
      done({ told, waits });
    };
    watchDevice(
      api,
      'oauth/device/tv',
      {},
      {
        onCode: (code) => told.push(code.user_code),
        onConnected: (made) => end(made.connectionId),
        onError: (error) => end(error.code),
        wait: async (seconds) => void waits.push(seconds),
      },
    );
  });
}

const PENDING: DeviceStanding = { status: 'pending', expires_in: 1, interval: 5 };

test('it shows the code, looks at the interval, and ends connected', async () => {
  const end = await played([
    PENDING,
    PENDING,
    { status: 'connected', provider_config_key: 'tv', connection_id: 'c1' },
  ]);

  expect(end).toEqual({ told: ['WDJB-MJHT', 'c1'], waits: [5, 5, 5] });
});

test('a refusal ends it by its code, a moment without network does not', async () => {
  const end = await played([
    new ApiError('offline', ''),
    { status: 'failed', provider_config_key: 'tv', error: { code: 'access_denied', message: 'no' } },
  ]);

  expect(end.told).toEqual(['WDJB-MJHT', 'access_denied']);
});

test('a session that is over ends it at once', async () => {
  const end = await played([new ApiError('unknown_connect_session_token', '', 401)]);

  expect(end.told).toEqual(['WDJB-MJHT', 'unknown_connect_session_token']);
});

test.each([
  ['https://tv.example', 'https://tv.example'],
  ['javascript:alert(1)', null],
  [null, null],
])('%s is linked as %s', (url, expected) => expect(webAddress(url)).toBe(expected));
