import { TextInput } from '@mantine/core';
import { useEffect, useMemo, useState } from 'react';
import { useUi } from '../context';
import { Heading } from '../Heading';
import { Next, Search } from '../Icons';
import { Logo } from '../Logo';
import type { Track } from '../telemetry';
import type { Integration } from '../wire';

interface Props {
  integrations: Integration[];
  onPick: (integration: Integration) => void;
  track: Track;
}

/** From here on a list is searched rather than read. */
const SEARCHED = 6;

export function Picker({ integrations, onPick, track }: Props) {
  const { words, language } = useUi();
  const [text, setText] = useState('');
  useEffect(() => void track('view:list'), [track]);

  const found = useMemo(() => {
    const wanted = text.trim().toLocaleLowerCase(language);
    const holds = (one: Integration) =>
      [one.display_name, one.unique_key, one.provider].some((t) =>
        t.toLocaleLowerCase(language).includes(wanted),
      );
    return integrations.filter(holds);
  }, [integrations, text, language]);

  if (integrations.length === 0) {
    return (
      <>
        <Heading>{words.title}</Heading>
        <p className="lead">{words.nothingToConnect}</p>
      </>
    );
  }
  return (
    <>
      <Heading>{words.title}</Heading>
      <p className="lead">{words.pickLead}</p>
      {integrations.length >= SEARCHED && (
        <TextInput
          type="search"
          size="md"
          aria-label={words.searchFor}
          placeholder={words.search}
          leftSection={<Search size={18} />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      )}
      <p className="unseen" role="status">
        {text.trim() ? words.found(found.length) : ''}
      </p>
      <ul className="picks" data-testid="integrations">
        {found.map((one) => (
          <li key={one.unique_key}>
            <button type="button" className="pick" onClick={() => onPick(one)}>
              <Logo name={one.display_name} />
              <span className="pick-name">{one.display_name}</span>
              <Next size={18} />
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="lead">{words.nothingFound(text.trim())}</p>}
    </>
  );
}
