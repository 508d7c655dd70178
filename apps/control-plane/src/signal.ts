/** Something that happens, for whoever listens in this process. */
export interface Signal<T> {
  emit(value: T): void;
  /** @returns a function that ends it */
  subscribe(listener: (value: T) => void): () => void;
}

export const createSignal = <T>(): Signal<T> => {
  const listeners = new Set<(value: T) => void>();
  return {
    emit: (value) => {
      for (const listener of listeners) listener(value);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
