import { ServiceError } from './service-error.ts';

/**
 * What `reading` a file gives. A ServiceError `unreadable_file` where the browser cannot read it: a folder that was
 * dropped, or a file that was deleted or changed after it was chosen.
 */
export async function readFile<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch {
    throw new ServiceError({ code: 'unreadable_file', detail: '' }, { hadKey: false });
  }
}
