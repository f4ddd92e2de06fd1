import { type ReactNode, useEffect, useRef } from 'react';

/** A screen's title. It takes the focus when the screen appears, so that everybody notices the step. */
export function Heading({ children }: { children: ReactNode }) {
  const element = useRef<HTMLHeadingElement>(null);
  useEffect(() => element.current?.focus(), []);
  return (
    <h1 id="heading" ref={element} tabIndex={-1}>
      {children}
    </h1>
  );
}
