interface ProgressProps {
  readonly done: number;
  readonly total: number;
  /** Says the same in words, and stands beside the bar. */
  readonly label: string;
}

export function Progress({ done, total, label }: ProgressProps) {
  return (
    <div class="progress">
      <progress max={Math.max(1, total)} value={done} aria-label={label} />
      <span class="small">{label}</span>
    </div>
  );
}
