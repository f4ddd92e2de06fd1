import type { ReactNode } from 'react';
import { Heading } from '../Heading';

export type Tone = 'good' | 'bad' | 'calm';

interface Props {
  tone: Tone;
  icon: ReactNode;
  title: string;
  children: ReactNode;
  actions?: ReactNode;
  testid?: string;
}

/** A screen that says one thing: done, over, waiting. */
export function Message({ tone, icon, title, children, actions, testid }: Props) {
  return (
    <section className="message" data-testid={testid}>
      <span className={`badge ${tone}`}>{icon}</span>
      <Heading>{title}</Heading>
      <div role={tone === 'bad' ? 'alert' : 'status'}>{children}</div>
      {actions && <div className="actions">{actions}</div>}
    </section>
  );
}
