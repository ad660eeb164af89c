import { useId, useState } from 'preact/hooks';

interface DropZoneProps {
  readonly label: string;
  readonly hint?: string;
  readonly accept: string;
  readonly multiple?: boolean;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Takes files that are dropped, or chosen: the whole area is the label of a file input. */
export function DropZone({ label, hint, accept, multiple = false, onFiles }: DropZoneProps) {
  const id = useId();
  const [isOver, setOver] = useState(false);
  const take = (files: FileList | null | undefined): void => {
    const list = [...(files ?? [])];
    if (list.length > 0) onFiles(multiple ? list : list.slice(0, 1));
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the input inside takes files from a keyboard
    <div
      class={`drop-zone ${isOver ? 'is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <input
        id={id}
        type="file"
        accept={accept}
        multiple={multiple}
        onChange={({ currentTarget }) => {
          take(currentTarget.files);
          currentTarget.value = '';
        }}
      />
      <label for={id}>
        <strong>{label}</strong>
        {hint === undefined ? null : <span class="quiet small">{hint}</span>}
      </label>
    </div>
  );
}

export const PICTURES = 'image/jpeg,image/png,image/webp';
