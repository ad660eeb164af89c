/** The part that is used of a package that brings no types. */
declare module 'fs-native-extensions' {
  /**
   * Locks all of a file that is open for writing, until it is closed or its process ends. False when it is locked by
   * way of another open file, of whatever process. Throws where the file system has no locks.
   */
  export function tryLock(file: number): boolean;
}
