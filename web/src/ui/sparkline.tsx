/** A trend in the space of a word. Its figure stands beside it, so that readers need not hear of it. */
export function Sparkline({ points }: { points: readonly number[] }) {
  const width = 100;
  const height = 24;
  if (points.length < 2) return <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />;
  const max = Math.max(...points, 1) * 1.1;
  const step = width / (points.length - 1);
  const line = points.map(
    (value, index) => `${(index * step).toFixed(1)},${(height - (value / max) * height).toFixed(1)}`,
  );
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <polygon class="area" points={`0,${height} ${line.join(' ')} ${width},${height}`} />
      <polyline class="line" points={line.join(' ')} />
    </svg>
  );
}
