import { useEffect, useMemo } from 'preact/hooks';

/** A file that was chosen, shown without sending it anywhere. */
export function FilePicture({ file }: { readonly file: File }) {
  const address = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return (
    <span class="picture">
      <img src={address} alt={file.name} />
    </span>
  );
}
