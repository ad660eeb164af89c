/** Where the pictures of covers come from. */
export interface PictureSource {
  /** As a report names it. */
  readonly name: string;
  /** The bytes of a cover's picture. Rejects with a failure where there is none, or where it cannot be had. */
  read(cover: string): Promise<Uint8Array>;
  /** Covers that the source knows of by itself; undefined where it only knows those that it is asked for. */
  readonly covers: readonly string[] | undefined;
}
