//! Texts that several stories read.

/// Facts with nothing in common, so that every question has one right file.
pub(crate) const FACTS: [(&str, &str); 5] = [
    (
        "refunds.md",
        "# Refunds\n\nA customer may return an unused lantern within 45 days of delivery. The refund is paid to the \
         original card within five working days. Opened candles are not taken back.\n",
    ),
    (
        "shipping.md",
        "# Shipping\n\nParcels to Norway leave the warehouse on Tuesdays. Express shipping costs nineteen euros and \
         takes two days. Heavy furniture is sent by lorry.\n",
    ),
    (
        "bees.txt",
        "Honeybees tell each other where flowers are by dancing. The angle of the waggle dance shows the direction \
         relative to the sun. A longer dance means a longer flight.\n",
    ),
    (
        "volcano.txt",
        "Mount Etna is the tallest active volcano in Europe. Its summit craters emit ash and lava several times a \
         year. Vineyards grow on its lower slopes.\n",
    ),
    (
        "invoice.txt",
        "Invoice XK-4471-Q was issued to the Meridian Foundation. The amount due is 1,250 pounds. Payment is late \
         after the last day of March.\n",
    ),
];

/// The same in Arabic, which the English model cannot read.
pub(crate) const ARABIC: [(&str, &str); 3] = [
    (
        "coffee.txt",
        "زُرعت القهوة أول مرة في اليمن ثم انتقلت إلى بقية العالم. يفضّل أهل صنعاء شرب القهوة مع الهيل في الصباح.\n",
    ),
    (
        "palm.txt",
        "تشتهر مدينة البصرة بزراعة النخيل وإنتاج التمور. يُقطف التمر في نهاية فصل الصيف ويُصدَّر إلى بلدان كثيرة.\n",
    ),
    (
        "library.txt",
        "تفتح المكتبة العامة أبوابها من الساعة التاسعة صباحاً حتى الخامسة مساءً. يحق لكل زائر استعارة ثلاثة كتب.\n",
    ),
];
