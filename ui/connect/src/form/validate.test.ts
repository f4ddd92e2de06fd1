import { expect, test } from 'vitest';
import type { FieldSpec } from '../wire';
import { formOf } from './fields';
import { complaintOf, complaintsOf } from './validate';

const formWith = (spec: FieldSpec, name = 'x') =>
  formOf({ name: 'a', display_name: 'A', auth_mode: 'OAUTH2', connection_config: { [name]: spec } });

function complaint(spec: FieldSpec, value: string, name = 'x') {
  const field = formWith(spec, name).fields[0];
  if (field === undefined) throw new Error('no field');
  return complaintOf(field, value)?.kind ?? null;
}

test.each<[FieldSpec, string, string | null]>([
  [{}, '  ', 'required'],
  [{ optional: true }, '', null],
  [{}, 'a\u0007b', 'characters'],
  [{ enum: ['eu', 'us'] }, 'eu', null],
  [{ enum: ['eu', 'us'] }, 'mars', 'choice'],
  [{ pattern: '^[a-z]+$' }, 'abc', null],
  [{ pattern: '^[a-z]+$' }, 'ABC', 'pattern'],
  [{ pattern: '^[a-z]+$', suffix: '.acme.com' }, 'abc.acme.com', null],
  [{ pattern: '(?P<python>only)' }, 'anything', null],
  [{ format: 'hostname' }, 'acme.example.com', null],
  [{ format: 'hostname' }, 'https://acme.example.com/', 'format'],
  [{ format: 'uri' }, 'https://acme.example.com/x', null],
  [{ format: 'uri' }, 'javascript:alert(1)', 'format'],
  [{ format: 'uuid' }, '57246542-96fe-1a63-e053-0824d011072a', null],
  [{ format: 'email' }, 'nobody', 'format'],
  [{ format: 'unheard of' }, 'anything', null],
])('%j with %j: %s', (spec, value, expected) => {
  expect(complaint(spec, value)).toBe(expected);
});

test('a key may have several lines', () => {
  expect(complaint({}, 'BEGIN\r\nEND', 'private_key')).toBeNull();
});

test('fields that are not visible are not complained of', () => {
  const form = formWith({ visible_when: { field: 'missing', equals: 'yes' } });
  expect(complaintsOf(form, {})).toEqual({});
});
