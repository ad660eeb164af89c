import { useState } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { t } from '../language/language.ts';

const SHOWN_MS = 1_500;

export function CopyButton({ text }: { readonly text: string }) {
  const { announce } = useConsole();
  const [isCopied, setCopied] = useState(false);
  // Only pages over TLS or of this machine may write there; elsewhere the text can be selected.
  if (navigator.clipboard === undefined) return null;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    announce(t('curl.copied'));
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  };
  return (
    <button type="button" class="button button-small" onClick={() => void copy()}>
      {isCopied ? t('curl.copied') : t('curl.copy')}
    </button>
  );
}
