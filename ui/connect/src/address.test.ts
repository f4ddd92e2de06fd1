import { expect, test } from 'vitest';
import { foreignApi, isToken, readAddress, withoutToken } from './address';

const HOST = 'https://connect.example.com';

test.each([
  ['/connect-ui/', '', `${HOST}/`],
  ['/connect-ui/', `?apiURL=${HOST}`, `${HOST}/`],
  ['/below/a/path/connect-ui/', '', `${HOST}/below/a/path/`],
  ['/connect-ui/', `?apiURL=${HOST}/api`, `${HOST}/api/`],
  ['/connect-ui/', '?apiURL=https://evil.example', `${HOST}/`],
  ['/connect-ui/', '?apiURL=//evil.example', `${HOST}/`],
  ['/connect-ui/', `?apiURL=${HOST}@evil.example`, `${HOST}/`],
  ['/connect-ui/', '?apiURL=javascript:alert(1)', `${HOST}/`],
])('%s%s asks %s', (path, query, base) => {
  expect(readAddress(HOST + path + query).apiBase.href).toBe(base);
});

test('an apiURL elsewhere is told to the developer', () => {
  expect(foreignApi(`${HOST}/connect-ui/?apiURL=https://api.example`)).toBe(true);
  expect(foreignApi(`${HOST}/connect-ui/?apiURL=${HOST}`)).toBe(false);
  expect(foreignApi(`${HOST}/connect-ui/`)).toBe(false);
});

test('the token leaves the address, the rest stays', () => {
  expect(withoutToken(`${HOST}/connect-ui/?lang=de&session_token=secret&theme=dark#x`)).toBe(
    '/connect-ui/?lang=de&theme=dark#x',
  );
});

test('options and their defaults', () => {
  expect(readAddress(`${HOST}/connect-ui/`)).toMatchObject({
    detectClosedAuthWindow: true,
    lang: null,
    theme: null,
    token: null,
    embedded: false,
    preview: false,
  });
  const query = '?detectClosedAuthWindow=false&lang=ja&theme=dark&embedded=true&preview=true&session_token=t';
  expect(readAddress(`${HOST}/connect-ui/${query}`)).toMatchObject({
    detectClosedAuthWindow: false,
    lang: 'ja',
    theme: 'dark',
    token: 't',
    embedded: true,
    preview: true,
  });
  expect(readAddress(`${HOST}/connect-ui/?theme=pink`).theme).toBeNull();
});

test('a token is a token', () => {
  expect(isToken(`nango_connect_session_${'0a'.repeat(32)}`)).toBe(true);
  expect(isToken(`nango_connect_session_${'0a'.repeat(32)}\nX: y`)).toBe(false);
  expect(isToken(undefined)).toBe(false);
});
