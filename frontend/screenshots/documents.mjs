import { pdf } from "../e2e/pdf.mjs";

/** What a bookshop might keep: short, and with answers in it. */
export const documents = [
  {
    name: "Returns and refunds.pdf",
    type: "application/pdf",
    content: pdf([
      "Returns and refunds",
      "",
      "Books can be returned within 30 days of delivery, unread and in the",
      "condition in which they arrived. Refunds go back to the card that paid,",
      "within five working days after the parcel has reached us.",
      "",
      "For a book that came damaged or was sent by mistake we pay the way back.",
      "Gifts are exchanged for a voucher, so that the giver does not learn of it.",
      "Audio books and vouchers themselves cannot be returned.",
    ]),
  },
  {
    name: "Shipping.md",
    type: "text/markdown",
    content:
      "# Shipping\n\nOrders before 14:00 leave the same day. Within the country they take one to two days, elsewhere in Europe three to five, and to other continents about two weeks.\n\n## Costs\n\nShipping is free from 40 euros. Below that it costs 3.90 euros within the country and 8.90 euros elsewhere in Europe.\n\n## Parcels that do not arrive\n\nIf a parcel has not moved for five days, write to us with its number. We look for it, and send the books again if it is lost.\n",
  },
  {
    name: "Handbook for the shop floor.md",
    type: "text/markdown",
    content:
      "# Handbook for the shop floor\n\nThe shop opens at nine and closes at seven, on Saturdays at six. Whoever opens counts the till and writes the amount into the book beside it. The lights in the window stay on until ten. Newspapers lie at the door by eight; those of the day before go back with the same van, bound and counted.\n\n## Orders by telephone\n\nAsk for the title first, then for the name. Read the number of the order back, one digit after the other. A book that is in the warehouse by noon is here the next morning. What is out of print we look for at three dealers, and say before we order what it will cost. Nobody has to take a book that we ordered by mistake.\n\n## Readings\n\nChairs for sixty people are in the cellar. The microphone is charged the evening before. Authors are fetched from the station; they get water, not coffee, before they read. Half an hour before the door opens the signed copies are counted, and what is left afterwards goes into the window with a card.\n\n## The children’s corner\n\nBooks in the lowest two shelves may be touched by everybody. The rug is washed on Mondays. On Wednesdays at four somebody reads aloud for half an hour: picture books first, then a chapter for the older ones. Parents are welcome to sit down, and to fall asleep.\n\n## Vouchers\n\nA voucher is valid for three years from the end of the year in which it was sold. It can be spent in parts. The number is entered at the till; without the number there is no voucher, and no exception is made, because each of them is money.\n\n## When something breaks\n\nThe alarm has a paper beside it that says whom to call. If the till does not start, sell by hand: the pad is under the counter, and every line needs the price and the kind of book. Water in the cellar comes from the street. Lift the boxes first, call afterwards.\n",
  },
  {
    name: "سياسة الإرجاع.md",
    type: "text/markdown",
    content:
      "# سياسة الإرجاع\n\nيمكن إرجاع الكتب خلال ثلاثين يوماً من استلامها، بشرط ألا تكون قد قُرئت. يعود المبلغ إلى البطاقة التي دُفع بها خلال خمسة أيام عمل من وصول الطرد إلينا.\n\nإذا وصل الكتاب تالفاً أو أُرسل خطأً فنحن ندفع كلفة إعادته. تُستبدل الهدايا بقسيمة شراء.\n",
  },
];

export const questions = [
  "Can I send a book back after two weeks?",
  "How long does shipping to Spain take?",
  "What does shipping cost below 40 euros?",
  "My parcel has not arrived, what now?",
  "When do you open on Saturdays?",
  "Do you refund vouchers?",
  "هل أستطيع إرجاع كتاب بعد أسبوعين؟",
  "Who pays the way back for a damaged book?",
  "Is there parking near the shop?",
];
