"""Texts for the reference vectors: short and long, many scripts, code, and what users paste by accident.

The first two are the server's start-up check, so they stay short, plain and different from each other.
"""

_PARAGRAPH = (
    "An archipelago is a group of islands that lie close together, each with its own shore. Boats pass between them, "
    "but nothing drifts from one to another on its own. The harbour master of every island keeps a ledger of what "
    "came in and what went out, and no ledger names the cargo of a neighbour. When a storm cuts one island off, the "
    "others go on trading, and when it returns its ledger tells what it missed. "
)

TEXTS = [
    "Which islands does the ferry serve in winter?",
    "The invoice is due thirty days after delivery.",
    # a word or less
    "a",
    ".",
    " ",
    "OK",
    "42",
    "internationalization",
    # questions and sentences
    "How do I reset my password?",
    "What is the notice period for ending the contract?",
    "Refunds are made to the original means of payment within five working days.",
    "The quick brown fox jumps over the lazy dog.",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG.",
    "It was not the case that the plaintiff had failed to notify the carrier of the damage.",
    "E = mc², water boils at 100 °C, and π ≈ 3.14159.",
    "Call +1 (555) 010-9999 or write to help@example.com before 2026-11-21T09:30:00Z.",
    # accents, and other languages and scripts
    "Crème brûlée, façade, naïve, Ångström, Zürich, São Paulo",
    "Der Vertrag verlängert sich stillschweigend um ein Jahr.",
    "¿Cuánto tarda el envío a las islas Canarias?",
    "Доставка осуществляется в течение трёх рабочих дней.",
    "ما هي مدة الإشعار لإنهاء العقد؟",
    "يجب تقديم الطلب قبل نهاية الشهر.",
    "תקופת ההודעה המוקדמת היא שלושים יום.",
    "契約を解除するための通知期間はどのくらいですか？",
    "合同的通知期限是三十天。",
    "계약 해지 통지 기간은 얼마입니까?",
    "अनुबंध समाप्त करने की सूचना अवधि क्या है?",
    "ระยะเวลาแจ้งเลิกสัญญาคือเท่าไร",
    # symbols
    "🏝️🚢📒",
    "Great service 👍🏽, thank you! 🎉",
    "→ ← ↑ ↓ § ¶ † ‡ • …",
    "\u200bzero\u200dwidth\ufeff and\u00a0no-break spaces",
    # code and data
    "fn main() { println!(\"{}\", (1..=10).sum::<u32>()); }",
    "select id, name from island where harbour is not null order by name limit 10;",
    "{\"island\": \"Skye\", \"ferries\": [7, 11], \"open\": true, \"master\": null}",
    "<p class=\"note\">Closed on <b>Mondays</b> &amp; holidays</p>",
    "https://example.org/islands/skye?season=winter&lang=en#timetable",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "line one\nline two\r\n\tindented line three\n\n\n",
    # towards the longest input
    _PARAGRAPH,
    _PARAGRAPH + "The ferry calls twice a day. " * 4,
    _PARAGRAPH * 2 + "Every ledger is closed at midnight, counted, and signed.",
    " ".join(["word"] * 254),
]
