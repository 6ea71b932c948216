//! What happens while a response is made.

use super::Response;
use super::item::{FunctionCall, Item, ItemId, Part};

/// Something that happens while a response is made. `index` is an item's place in the output, `place` a part's in its message.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A search begins.
    SearchBegun {
        /// Its place.
        index: usize,
        /// Its id.
        id: ItemId,
    },
    /// The model begins to speak.
    MessageBegun {
        /// Its place.
        index: usize,
        /// Its id.
        id: ItemId,
    },
    /// A part of a message begins.
    PartBegun {
        /// The message's place.
        index: usize,
        /// The message.
        id: ItemId,
        /// The part's place.
        place: usize,
        /// The part, empty.
        part: Part,
    },
    /// More of a part.
    Said {
        /// The message's place.
        index: usize,
        /// The message.
        id: ItemId,
        /// The part's place.
        place: usize,
        /// The piece.
        delta: String,
        /// Whether it is a refusal.
        refuses: bool,
    },
    /// A part is whole.
    PartDone {
        /// The message's place.
        index: usize,
        /// The message.
        id: ItemId,
        /// The part's place.
        place: usize,
        /// The part.
        part: Part,
    },
    /// The model begins to call a function.
    CallBegun {
        /// The call's place.
        index: usize,
        /// The call, without arguments.
        item: FunctionCall,
    },
    /// More of a call's arguments.
    Arguments {
        /// The call's place.
        index: usize,
        /// The call.
        id: ItemId,
        /// The piece.
        delta: String,
    },
    /// An item is whole.
    ItemDone {
        /// Its place.
        index: usize,
        /// The item.
        item: Item,
    },
    /// The response is over. Exactly once, at the end; it is stored by then, if it is to be.
    Finished(Box<Response>),
}
