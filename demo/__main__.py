"""`make demo`: play the main job with real parts, one visible step after the other; `--once` exits at the end."""

import argparse
import sys
from pathlib import Path

from demo.play import Play, StepFailed


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit when everything was shown")
    parser.add_argument("--data-dir", type=Path, default=Path(".demo"))
    parser.add_argument("--port", type=int, default=3003, help="0: any free one")
    arguments = parser.parse_args()
    play = Play(data_dir=arguments.data_dir.absolute(), port=arguments.port)
    try:
        play.run()
        if not arguments.once:
            play.stay()
    except StepFailed as failure:
        print(f"\n✗ {failure.step}: {failure}", file=sys.stderr, flush=True)
        play.show_output()
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nstopping …", flush=True)
    finally:
        play.stop()


if __name__ == "__main__":
    main()
