"""Typefaces of drawn titles, by language and split. All are under the Open Font License, from npm packages."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "zh": {
        "train": (
            "noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf",
            "noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf",
            "noto-sans-sc/900Black/NotoSansSC_900Black.ttf",
            "noto-serif-sc/700Bold/NotoSerifSC_700Bold.ttf",
            "noto-serif-sc/900Black/NotoSerifSC_900Black.ttf",
            "ma-shan-zheng/400Regular/MaShanZheng_400Regular.ttf",
            "zcool-qingke-huangyou/400Regular/ZCOOLQingKeHuangYou_400Regular.ttf",
        ),
        "validation": ("noto-sans-sc/500Medium/NotoSansSC_500Medium.ttf", "noto-serif-sc/500Medium/NotoSerifSC_500Medium.ttf"),
        "test": (
            "zcool-xiaowei/400Regular/ZCOOLXiaoWei_400Regular.ttf",
            "zcool-kuaile/400Regular/ZCOOLKuaiLe_400Regular.ttf",
        ),
    },
    "en": {
        "train": (
            "noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf",
            "noto-serif-sc/700Bold/NotoSerifSC_700Bold.ttf",
            "lobster/400Regular/Lobster_400Regular.ttf",
            "bangers/400Regular/Bangers_400Regular.ttf",
            "anton/400Regular/Anton_400Regular.ttf",
            "open-sans/800ExtraBold/OpenSans_800ExtraBold.ttf",
            "baloo-2/700Bold/Baloo2_700Bold.ttf",
        ),
        "validation": ("oswald/700Bold/Oswald_700Bold.ttf", "fredoka/600SemiBold/Fredoka_600SemiBold.ttf"),
        "test": ("comfortaa/700Bold/Comfortaa_700Bold.ttf", "roboto/700Bold/Roboto_700Bold.ttf"),
    },
}


class Fonts:
    def __init__(self, folder: Path):
        self.folder = folder

    def names(self, language: str, split: str) -> tuple[str, ...]:
        return _FILES[language][split]

    @lru_cache(maxsize=1024)  # noqa: B019 - lives as long as the generator
    def open(self, name: str, size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(str(self.folder / name), size)
