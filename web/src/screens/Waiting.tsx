/** Before the Hub has said who is there. */
export function Waiting({ problem }: { problem: string | undefined }) {
  return (
    <main class="center">
      <div class="quiet" role="status">
        <h1 class="brand large">LeapMux</h1>
        {problem !== undefined && <p>{problem}</p>}
      </div>
    </main>
  );
}
