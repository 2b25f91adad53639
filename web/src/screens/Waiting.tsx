/** Before the Hub has said who is there. */
export function Waiting({ attempt }: { attempt: number | undefined }) {
  return (
    <main class="center">
      <div class="quiet" role="status">
        <h1 class="brand large">LeapMux</h1>
        {attempt !== undefined && <p>The Hub cannot be reached. This page tries again by itself.</p>}
      </div>
    </main>
  );
}
