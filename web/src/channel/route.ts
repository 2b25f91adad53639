// A session as the socket sees it: each thing that happens is told at its time, and `then` follows.

import type { Session } from './session';
import type { Route } from './socket';

export function routeOf(session: Session, now: () => number, then: (heard: boolean) => void): Route {
  return {
    receiveControl(body) {
      session.receiveControl(body, now());
      then(false);
    },
    receiveFrame(frame) {
      session.receiveFrame(frame, now());
      then(true);
    },
    pollOutgoing: () => session.pollOutgoing(now()),
    lost() {
      session.lost(now());
      then(false);
    },
  };
}
