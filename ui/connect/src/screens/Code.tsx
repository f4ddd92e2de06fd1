import { Button } from '@mantine/core';
import { useState } from 'react';
import { useUi } from '../context';
import { webAddress } from '../device';
import { Out } from '../Icons';
import type { DeviceCode } from '../wire';
import { Message } from './Message';

interface Props {
  code: DeviceCode;
  name: string;
  onCancel: () => void;
}

/** The code to type in elsewhere, while the page waits for it. */
export function Code({ code, name, onCancel }: Props) {
  const { words } = useUi();
  const [copied, setCopied] = useState(false);
  const link = webAddress(code.verification_uri_complete) ?? webAddress(code.verification_uri);
  const copy = () => {
    navigator.clipboard?.writeText(code.user_code).then(
      () => setCopied(true),
      () => {},
    );
  };
  return (
    <Message
      tone="calm"
      icon={<Out size={28} />}
      title={words.codeTitle(name)}
      testid="device-code"
      actions={
        <>
          {link !== null && (
            <Button component="a" size="md" href={link} target="_blank" rel="noopener noreferrer">
              {words.codeOpen(name)}
            </Button>
          )}
          <Button variant="default" size="md" onClick={copy}>
            {copied ? words.codeCopied : words.codeCopy}
          </Button>
          <Button variant="default" size="md" onClick={onCancel}>
            {words.cancel}
          </Button>
        </>
      }
    >
      <p>{words.codeText(code.verification_uri)}</p>
      <p className="device-code">
        <strong translate="no">{code.user_code}</strong>
      </p>
      <p>{words.codeWaiting}</p>
    </Message>
  );
}
