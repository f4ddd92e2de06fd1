import { Button } from '@mantine/core';
import { useEffect } from 'react';
import { useUi } from '../context';
import { Clock, Tick } from '../Icons';
import type { Track } from '../telemetry';
import { Message } from './Message';

interface Props {
  name: string;
  integration: string;
  /** What somebody must still do; absent: nothing. */
  pending?: 'approve' | 'install';
  again: boolean;
  track: Track;
  onFinish: () => void;
  /** Absent: there is nothing else to connect. */
  onAnother?: () => void;
}

export function Done({ name, integration, pending, again, track, onFinish, onAnother }: Props) {
  const { words } = useUi();
  useEffect(() => void track('view:success', integration), [track, integration]);
  const left = pending && { approve: words.pendingText, install: words.pendingStore }[pending];
  const said = left ? left : again ? words.doneAgainText : words.doneText;
  return (
    <Message
      tone={pending ? 'calm' : 'good'}
      icon={pending ? <Clock size={28} /> : <Tick size={28} />}
      title={pending ? words.pending : words.done}
      testid="done"
      actions={
        <>
          <Button size="md" onClick={onFinish}>
            {words.finish}
          </Button>
          {onAnother && (
            <Button size="md" variant="default" onClick={onAnother}>
              {words.another}
            </Button>
          )}
        </>
      }
    >
      <p>{said(name)}</p>
    </Message>
  );
}
