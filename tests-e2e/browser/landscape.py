"""Generated pictures of landscapes for attachments."""

import io
import random

from PIL import Image, ImageDraw

SKIES = [("#7fb3c8", "#f0c987"), ("#f2b28a", "#c96f5f"), ("#a9c8a4", "#4f7d74"), ("#9fb4d9", "#e8d3b9")]
HILLS = [("#41705c", "#2f4f47"), ("#7a4a4a", "#4b2f3a"), ("#3f6c63", "#284a45"), ("#56688a", "#36435f")]


def landscape(number: int, width: int = 1200, height: int = 760) -> bytes:
    """Return a picture, always the same for the same number."""
    dice = random.Random(number)
    sky, glow = SKIES[number % len(SKIES)]
    near, nearest = HILLS[number % len(HILLS)]
    image = Image.new("RGB", (width * 2, height * 2), sky)
    draw = ImageDraw.Draw(image)
    w, h = image.size
    sun = (int(w * dice.uniform(0.2, 0.8)), int(h * dice.uniform(0.2, 0.4)), int(h * 0.09))
    draw.ellipse([sun[0] - sun[2], sun[1] - sun[2], sun[0] + sun[2], sun[1] + sun[2]], fill=glow)
    for level, colour in ((0.52, glow), (0.62, near), (0.78, nearest)):
        points = [(0, h)]
        points += [(int(w * x / 6), int(h * (level + dice.uniform(-0.12, 0.08)))) for x in range(7)]
        draw.polygon([*points, (w, h)], fill=colour)
    output = io.BytesIO()
    image.resize((width, height), Image.Resampling.LANCZOS).save(output, "JPEG", quality=88)
    return output.getvalue()
