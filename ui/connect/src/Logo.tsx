import { groundOf, initialsOf } from './colour';

/** Initials on a colour of the name's own: nobody's artwork. The name stands beside it. */
export function Logo({ name, size = 40 }: { name: string; size?: number }) {
  return (
    <span
      className="logo"
      aria-hidden="true"
      style={{ width: size, height: size, fontSize: size * 0.38, background: groundOf(name) }}
    >
      {initialsOf(name)}
    </span>
  );
}
