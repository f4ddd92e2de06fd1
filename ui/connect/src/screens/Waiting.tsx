import { Button, Loader } from '@mantine/core';
import { useUi } from '../context';
import { Warn } from '../Icons';
import type { Attempt } from '../useConnect';
import { Message } from './Message';

interface Props {
  phase: 'waiting' | 'blocked' | 'closed';
  name: string;
  attempt: Attempt;
}

/** While the person is with the provider, or should be. */
export function Waiting({ phase, name, attempt }: Props) {
  const { words } = useUi();
  const cancel = (
    <Button key="cancel" variant="default" size="md" onClick={attempt.cancel}>
      {words.cancel}
    </Button>
  );
  if (phase === 'waiting') {
    return (
      <Message
        key={phase}
        tone="calm"
        icon={<Loader size={28} aria-hidden="true" />}
        title={words.waiting(name)}
        testid="waiting"
        actions={
          <>
            <Button size="md" onClick={attempt.show}>
              {words.showWindow}
            </Button>
            {cancel}
          </>
        }
      >
        <p>{words.waitingText}</p>
      </Message>
    );
  }
  const blocked = phase === 'blocked';
  return (
    <Message
      key={phase}
      tone="bad"
      icon={<Warn size={28} />}
      title={blocked ? words.blocked : words.closedEarly}
      testid={phase}
      actions={
        <>
          <Button size="md" onClick={attempt.again}>
            {blocked ? words.openWindow : words.tryAgain}
          </Button>
          {cancel}
        </>
      }
    >
      <p>{blocked ? words.blockedText : words.closedEarlyText}</p>
    </Message>
  );
}
