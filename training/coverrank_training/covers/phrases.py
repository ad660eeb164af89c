"""What titles and queries say about a concept. `{}` is its name."""

import random
from collections.abc import Sequence

from .filler import Filler

TITLES: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "train": (
            "{}", "{}", "{}", "{}", "超萌{}", "{}合集", "{}来了", "{}大全", "教你画{}", "搞笑{}",
            "一起看{}", "{}的一天", "今日{}", "{}！", "{}推荐", "这是{}吗", "神奇的{}", "新手学{}",
        ),
        "validation": ("{}", "爱上{}", "{}攻略", "最爱{}", "{}时刻"),
        "test": ("{}", "疯狂{}", "{}挑战", "揭秘{}", "我的{}日记", "最美{}"),
    },
    "en": {
        "train": ("{}", "{}", "{}", "my {}", "the {}", "best {}", "{} show", "{} vlog", "funny {}", "{} tips", "{}!", "new {}"),
        "validation": ("{}", "hello {}", "{} day", "top {}"),
        "test": ("{}", "wow {}", "{} story", "cute {}", "{} time"),
    },
}  # fmt: skip

QUERIES: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "train": (
            "{}", "{}", "{}", "{}", "{}视频", "可爱的{}", "{} 搞笑 视频", "{}图片", "{}怎么画", "好看的{}", "{}大全",
            "关于{}的视频", "{}教程", "{}短视频", "{}合集", "{}推荐", "最火的{}", "{}是什么意思", "看{}",
            "{}日常", "最新{}", "哪里有{}", "{}高清视频", "真实的{}", "给我找{}",
        ),
        "validation": ("{}", "{}精选", "我想看{}", "漂亮的{}"),
        "test": ("{}", "{} 搞笑", "有趣的{}", "{}集锦", "{}在线观看", "想看{}"),
    },
    "en": {
        "train": (
            "{}", "{}", "{}", "{} video", "cute {}", "funny {} clips", "{} compilation", "how to draw {}", "best {}",
            "a {}", "{} for kids", "the {}", "{} tutorial", "top 10 {}", "{} movie",
            "pictures of {}", "find {}", "{} moments", "real {}", "my favorite {}", "look at this {}",
        ),
        "validation": ("{}", "{} scenes", "show me {}", "nice {}"),
        "test": ("{}", "{} vlog", "amazing {}", "{} short video", "watch {}"),
    },
}  # fmt: skip


FILLED_SHARE = 0.4


def make_query(names: Sequence[str], language: str, split: str, rng: random.Random, filler: Filler | None = None) -> str:
    """With a `filler`, some queries have its words around the name in the place of a template of the split."""
    name = names[0] if rng.random() < 0.7 else rng.choice(names)
    if filler is not None and rng.random() < FILLED_SHARE:
        return filler.template(name, language, rng).format(name)
    return rng.choice(QUERIES[language][split]).format(name)
