import { type ReactNode, useEffect, useRef } from 'react';
import { useUi } from './context';
import { Back, Cross, Lock } from './Icons';

interface Props {
  children: ReactNode;
  watermark: boolean;
  onBack?: () => void;
  /** Absent: there is nothing to close. */
  onClose?: () => void;
  onOutside?: () => void;
}

const FOCUSABLE = 'a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex="0"]';

/** What is around every screen: a dialog over the parent's page, or the card of a page of its own. */
export function Shell({ children, watermark, onBack, onClose, onOutside }: Props) {
  const { words, framed, embedded } = useUi();
  const card = useRef<HTMLDivElement>(null);
  const modal = framed && !embedded;

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented) onClose?.();
      if (modal && event.key === 'Tab' && card.current) wrapFocus(event, card.current);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [modal, onClose]);

  return (
    <div
      className="ground"
      data-testid="ground"
      role="presentation"
      onPointerDown={(event) => event.target === event.currentTarget && onOutside?.()}
    >
      <div
        ref={card}
        className="card"
        {...(modal ? { role: 'dialog', 'aria-modal': true, 'aria-labelledby': 'heading' } : { role: 'main' })}
      >
        <div className="bar">
          {onBack ? (
            <button type="button" className="plain" onClick={onBack} aria-label={words.back}>
              <Back />
            </button>
          ) : (
            <span />
          )}
          {onClose && (
            <button type="button" className="plain" onClick={onClose} aria-label={words.close}>
              <Cross />
            </button>
          )}
        </div>
        <div className="content">{children}</div>
        {watermark && (
          <p className="watermark">
            <Lock size={14} /> {words.poweredBy('Dragoman')}
          </p>
        )}
      </div>
    </div>
  );
}

/** The focus stays in the dialog: after the last comes the first. */
function wrapFocus(event: KeyboardEvent, card: HTMLElement): void {
  const all = [...card.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((one) => one.offsetParent !== null);
  const [first, last] = [all[0], all.at(-1)];
  const from = document.activeElement;
  if (!first || !last) return;
  if (event.shiftKey && (from === first || !all.includes(from as HTMLElement))) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && from === last) {
    event.preventDefault();
    first.focus();
  }
}
