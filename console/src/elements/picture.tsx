import { useEffect, useState } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { t } from '../language/language.ts';

interface Found {
  readonly id: string;
  /** Undefined where the cover has no picture here. */
  readonly address: string | undefined;
}

/** A cover's thumbnail. `label` describes it; empty where the text beside it already does. */
export function Picture({ id, label }: { readonly id: string; readonly label: string }) {
  const { thumbnails, keys } = useConsole();
  const [found, setFound] = useState<Found | undefined>(undefined);
  const key = keys.key.value;
  useEffect(() => {
    let gone = false;
    void thumbnails.of(id).then((address) => {
      if (!gone) setFound({ id, address });
    });
    return () => {
      gone = true;
    };
  }, [id, key, thumbnails]);
  // Until this cover's picture is found there is none: the one of the cover before would stand under its name.
  if (found?.id !== id) return <span class="picture" />;
  if (found.address === undefined) return <span class="picture picture-missing">{t('hit.noPicture')}</span>;
  return (
    <span class="picture">
      <img src={found.address} alt={label} />
    </span>
  );
}
