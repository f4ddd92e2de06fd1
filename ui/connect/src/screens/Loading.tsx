import { Loader } from '@mantine/core';
import { useUi } from '../context';

export function Loading() {
  const { words } = useUi();
  return (
    <div className="loading" role="status">
      <Loader size="md" aria-hidden="true" />
      <span className="unseen" id="heading">
        {words.loading}
      </span>
    </div>
  );
}
