/** A few strokes each, drawn here. Always beside words, so hidden from screen readers. */

interface Props {
  size?: number;
}

function Icon({ path, size = 20 }: Props & { path: string }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={path} />
    </svg>
  );
}

export const Cross = (props: Props) => <Icon path={'M5 5l10 10M15 5L5 15'} {...props} />;
export const Back = (props: Props) => <Icon path={'M12 4l-6 6 6 6'} {...props} />;
export const Next = (props: Props) => <Icon path={'M8 5l5 5-5 5'} {...props} />;
export const Search = (props: Props) => (
  <Icon path={'M9 14.5A5.5 5.5 0 1 0 9 3.5a5.5 5.5 0 0 0 0 11zM13 13l4 4'} {...props} />
);
export const Tick = (props: Props) => <Icon path={'M4.5 10.5l3.5 3.5 7.5-8'} {...props} />;
export const Clock = (props: Props) => (
  <Icon path={'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l2.5 2'} {...props} />
);
export const Lock = (props: Props) => (
  <Icon path={'M5.5 9h9v7.5h-9zM7.5 9V6.5a2.5 2.5 0 0 1 5 0V9'} {...props} />
);
export const Out = (props: Props) => <Icon path={'M8 4H4v12h12v-4M11 4h5v5M16 4l-7 7'} {...props} />;
export const Warn = (props: Props) => <Icon path={'M10 3l7.5 13.5h-15zM10 8.5v3.5M10 14.3v.1'} {...props} />;
export const Eye = (props: Props) => (
  <Icon
    path={
      'M2 10s3-5.5 8-5.5 8 5.5 8 5.5-3 5.5-8 5.5S2 10 2 10zM10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z'
    }
    {...props}
  />
);
export const EyeShut = (props: Props) => (
  <Icon
    path={
      'M3 3l14 14M8.2 4.8A8 8 0 0 1 10 4.5c5 0 8 5.5 8 5.5a14 14 0 0 1-2.6 3.2M5.3 6.3A14 14 0 0 0 2 10s3 5.5 8 5.5a8 8 0 0 0 3.8-1'
    }
    {...props}
  />
);
