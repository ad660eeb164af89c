import { useEffect, useState } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { t } from '../language/language.ts';

/** A cover's thumbnail. `label` describes it; empty where the text beside it already does. */
export function Picture({ id, label }: { readonly id: string; readonly label: string }) {
  const { thumbnails, keys } = useConsole();
  const [address, setAddress] = useState<string | undefined>(undefined);
  const [isMissing, setMissing] = useState(false);
  const key = keys.key.value;
  useEffect(() => {
    let gone = false;
    setMissing(false);
    void thumbnails.of(id).then((found) => {
      if (gone) return;
      setAddress(found);
      setMissing(found === undefined);
    });
    return () => {
      gone = true;
    };
  }, [id, key, thumbnails]);
  if (isMissing) return <span class="picture picture-missing">{t('hit.noPicture')}</span>;
  return <span class="picture">{address === undefined ? null : <img src={address} alt={label} />}</span>;
}
