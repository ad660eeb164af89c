import type { ComponentChildren } from 'preact';

interface ScrollingProps {
  readonly label: string;
  readonly children: ComponentChildren;
}

/** A part of the page that scrolls by itself. */
export function Scrolling({ label, children }: ScrollingProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section class="scrolling" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
