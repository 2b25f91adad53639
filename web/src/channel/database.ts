// The thread's IndexedDB: pins, this browser's key, what it has signed,
// and the secrets of registrations that no Worker has answered yet. Promises over requests, nothing more.

const NAME = 'leapmux';
const VERSION = 3;

export type Store = 'pins' | 'device' | 'registrations' | 'grants';

/** Stores by the version that brought them; a profile of an older page keeps what it has. */
const STORES: Record<Store, { since: number; keyPath?: string }> = {
  pins: { since: 1, keyPath: 'workerId' },
  device: { since: 1 },
  registrations: { since: 2, keyPath: 'id' },
  grants: { since: 3, keyPath: 'name' },
};

/** `onGone`: what was opened is closed, by a newer page or because the person cleared the browser's data. */
export function openDatabase(factory: IDBFactory, onGone: () => void = () => undefined): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(NAME, VERSION);
    request.onupgradeneeded = ({ oldVersion }) => {
      for (const [name, { since, keyPath }] of Object.entries(STORES)) {
        if (since > oldVersion) request.result.createObjectStore(name, keyPath === undefined ? {} : { keyPath });
      }
    };
    request.onblocked = () => reject(new Error('the database is held by an older page'));
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      // A newer page may upgrade: let go instead of blocking it.
      request.result.onversionchange = () => {
        request.result.close();
        onGone();
      };
      request.result.onclose = onGone;
      resolve(request.result);
    };
  });
}

/**
 * Runs `step` in one transaction and resolves when it is committed. `step` uses only requests of the
 * store it is given: a transaction ends as soon as none is pending.
 */
export async function transact<T>(database: IDBDatabase, store: Store, mode: IDBTransactionMode,
  step: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const transaction = database.transaction(store, mode, { durability: 'strict' });
  const committed = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
  });
  // Waited for below; without this an abort would also count as unhandled.
  committed.catch(() => undefined);
  try {
    const result = await step(transaction.objectStore(store));
    await committed;
    return result;
  } catch (error) {
    abort(transaction);
    throw error;
  }
}

export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}
