//! Words too common to find anything by: articles, pronouns, prepositions, auxiliaries, question words.
//!
//! Short lists on purpose. A word wrongly kept costs a little space (its inverse document frequency is small
//! anyway); a word wrongly dropped cannot be found.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::arabic;

const ENGLISH: &str = "a about above after again against all am an and any are as at be because been before being \
    below between both but by can could d did didn do does doesn doing don down during each few for from further \
    had has have having he her here hers him his how i if in into is isn it its itself just ll me more most my no \
    nor not now of off on once only or other our out over own re s same she should so some such t than that the \
    their them then there these they this those through to too under until up ve very was wasn we were what when \
    where which while who whom whose why will with would you your";

const ARABIC: &str = "في من الى إلى على عن مع هذا هذه ذلك تلك هؤلاء الذي التي الذين اللذين اللاتي ما ماذا متى أين \
    كيف لماذا هل أي أية من كم هو هي هم هن نحن انا أنا انت أنت كان كانت كانوا يكون تكون ليس ليست قد لقد لا لم لن ان \
    أن إن انه أنه إنه انها أنها ان كل بعض غير بين حتى اذا إذا لو لكن ولكن ثم أو او أم بل حيث عند عندما منذ خلال قبل \
    بعد تحت فوق ضمن حول دون سوى كما مثل ايضا أيضا فقط اي به بها فيه فيها منه منها له لها لهم عليه عليها عليهم \
    اليه اليها وهو وهي وفي ومن وعلى والتي والذي وقد ولا ولم وكان وكانت وما وان وأن فإن لدى و ف ب ك ل ال";

const GERMAN: &str = "aber als am an auch auf aus bei bin bis bist da damit dann das dass dein deine dem den der des \
    die dies diese dieser dieses doch dort du durch ein eine einem einen einer eines er es euer eure für hat hatte \
    hier ich ihr ihre im in ist ja kann kein keine mein meine mich mir mit nach nicht noch nur ob oder ohne sehr \
    sein seine sich sie sind so über um und uns unser unter vom von vor wann war waren warum was weil welche welcher \
    welches wenn wer wie wird wir wo wurde wurden zu zum zur zwischen";

const FRENCH: &str = "a ai au aux avec c ce ces cet cette d dans de des du elle elles en est et étaient était eu il \
    ils j je l la le les leur leurs lui m ma mais me mes mon n ne nos notre nous on ont ou où par pas pour qu quand \
    que quel quelle quelles quels qui quoi s sa sans se ses si son sont sur t ta te tes toi ton tu un une vos votre \
    vous y à être combien comment pourquoi";

const SPANISH: &str = "a al algo ante antes como cómo con cuál cuáles cuando cuándo cuánto de del desde donde dónde \
    durante e el él ella ellas ellos en entre era eran es esa ese eso esta está este esto fue fueron ha había han \
    hasta hay la las le les lo los más me mi muy ni no nos o para pero por porque que qué quien quién se ser si sí \
    sin sobre son su sus también te tu un una uno y ya yo";

const ITALIAN: &str = "a ad al alla alle agli ai anche c che chi ci come con cosa cui d da dal dalla dei del della \
    delle dello di dove e è ed era erano fu gli ha hanno i il in io l la le lei li lo loro lui ma mi ne nei nel nella \
    non o per perché più quale quali quando quanto quella quello questa questo sono se si sua sue sul sulla suo te \
    ti tra tu un una uno vi";

const PORTUGUESE: &str = "a ao aos as às até com como da das de do dos e é ela elas ele eles em entre era essa esse \
    esta está este eu foi foram há isso já lhe mais mas me mesmo muito na nas não nem no nos o onde os ou para pela \
    pelas pelo pelos por porque qual quais quando quanto que quem se sem ser seu sua são só também te tem um uma \
    você";

const DUTCH: &str = "aan al als bij daar dan dat de der deze die dit door een en er geen had heb heeft het hij hoe \
    hun ik in is je kan kon maar me men met mij mijn na naar niet nog nu of om omdat onder ons ook op over te tegen \
    toch toen tot u uit van veel voor waar waarom wat was we wel welke werd wie wij worden zal ze zich zij zijn zo";

const TURKISH: &str = "acaba ama ancak bir bu çok da daha de değil diye en gibi hangi hem her için ile ise kaç kadar \
    ki kim mi mı mu mü nasıl ne neden nerede niçin o olan olarak olduğu ve veya ya";

const RUSSIAN: &str = "а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да для до \
    его ее если есть еще же за здесь и из или им их к как какая какие какой когда который кто ли мне много может мы \
    на над не него нет ни но ну о об он она они оно от очень по под почему при с сколько со так также такой там те \
    тем то того тоже только том ты у уже чего чем что чтобы эта эти это этого этот я";

type List = LazyLock<HashSet<&'static str>>;

macro_rules! lists {
    ($($name:ident = $words:ident;)*) => {
        $(static $name: List = LazyLock::new(|| $words.split_whitespace().collect());)*
    };
}

lists! {
    ENG = ENGLISH; DEU = GERMAN; FRA = FRENCH; SPA = SPANISH; ITA = ITALIAN; POR = PORTUGUESE; NLD = DUTCH;
    TUR = TURKISH; RUS = RUSSIAN;
}

/// Arabic words in the spelling that [`arabic::letters`] gives, so that each is listed once.
static ARA: LazyLock<HashSet<String>> =
    LazyLock::new(|| ARABIC.split_whitespace().map(arabic::letters).collect());

/// Whether `word` (lower case) is a stop word in a text in `language` (ISO 639-3). Words in Arabic and Cyrillic
/// script are judged by Arabic and Russian, whatever the text; Latin ones by English if the language has no list.
pub(super) fn contains(language: &str, word: &str) -> bool {
    match word.chars().next() {
        Some('\u{600}'..='\u{6ff}') => {
            !matches!(language, "pes" | "urd") && ARA.contains(&arabic::letters(word))
        }
        Some('\u{400}'..='\u{4ff}') => RUS.contains(word),
        Some(c) if c.is_ascii_digit() => false,
        Some(_) => match language {
            "deu" => &DEU,
            "fra" => &FRA,
            "spa" => &SPA,
            "ita" => &ITA,
            "por" => &POR,
            "nld" => &NLD,
            "tur" => &TUR,
            _ => &ENG,
        }
        .contains(word),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn common_words_of_the_language_only() {
        assert!(contains("eng", "the") && !contains("eng", "refund"));
        assert!(contains("deu", "die") && !contains("eng", "die"));
        assert!(contains("ara", "الى") && contains("ara", "إلى") && contains("eng", "في"));
        assert!(!contains("ara", "مدرسة") && !contains("eng", "3"));
        assert!(contains("rus", "что"));
    }
}
