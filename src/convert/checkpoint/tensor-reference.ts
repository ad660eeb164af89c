import type { StoredType } from './stored-types.ts';

/** A storage of the checkpoint, by key; its bytes are not read with the pickle. */
export class StorageReference {
  readonly key: string;
  readonly type: StoredType;
  readonly elements: number;

  constructor(key: string, type: StoredType, elements: number) {
    this.key = key;
    this.type = type;
    this.elements = elements;
  }
}

/** A view of a storage: element (i, j, ...) is number offset + i * strides[0] + j * strides[1] + ... of it. */
export class TensorReference {
  readonly storage: StorageReference;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: StorageReference, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}
