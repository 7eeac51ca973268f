"""The languages of Whisper: its codes, the names that the API spells out, and who accepts which.

Codes and names are those of openai/whisper's tokenizer; nearly all are ISO 639-1.
"""

_NAMES = """
en english|zh chinese|de german|es spanish|ru russian|ko korean|fr french|ja japanese
pt portuguese|tr turkish|pl polish|ca catalan|nl dutch|ar arabic|sv swedish|it italian
id indonesian|hi hindi|fi finnish|vi vietnamese|he hebrew|uk ukrainian|el greek|ms malay
cs czech|ro romanian|da danish|hu hungarian|ta tamil|no norwegian|th thai|ur urdu|hr croatian
bg bulgarian|lt lithuanian|la latin|mi maori|ml malayalam|cy welsh|sk slovak|te telugu|fa persian
lv latvian|bn bengali|sr serbian|az azerbaijani|sl slovenian|kn kannada|et estonian|mk macedonian
br breton|eu basque|is icelandic|hy armenian|ne nepali|mn mongolian|bs bosnian|kk kazakh
sq albanian|sw swahili|gl galician|mr marathi|pa punjabi|si sinhala|km khmer|sn shona|yo yoruba
so somali|af afrikaans|oc occitan|ka georgian|be belarusian|tg tajik|sd sindhi|gu gujarati
am amharic|yi yiddish|lo lao|uz uzbek|fo faroese|ht haitian creole|ps pashto|tk turkmen
nn nynorsk|mt maltese|sa sanskrit|lb luxembourgish|my myanmar|bo tibetan|tl tagalog|mg malagasy
as assamese|tt tatar|haw hawaiian|ln lingala|ha hausa|ba bashkir|jw javanese|su sundanese
yue cantonese
"""

WHISPER_LANGUAGES: dict[str, str] = {
    code: name
    for entry in _NAMES.strip().replace("\n", "|").split("|")
    for code, name in [entry.split(" ", 1)]
}
"""Every code that a multilingual Whisper knows, with its lowercase English name."""

_SUPPORTED = """
af ar hy az be bs bg ca zh hr cs da nl en et fi fr gl de el he hi hu is id it ja kn kk ko
lv lt mk ms mr mi ne no fa pl pt ro ru sr sk sl es sw sv tl ta th tr uk ur vi cy
"""
_WIDER = "bn gu ka ml te yue"

SUPPORTED_LANGUAGES: frozenset[str] = frozenset(_SUPPORTED.split())
"""The 57 codes that the live service documents, and accepts as `language`."""

WIDER_LANGUAGES: frozenset[str] = SUPPORTED_LANGUAGES | frozenset(_WIDER.split())
"""The 63 codes that `gpt-transcribe` was seen to accept."""


def language_name(code: str | None) -> str:
    """The name that verbose_json prints for a code.

    Audio without speech has no language; Whisper itself then falls back to English, so do we.
    A code that Whisper does not know (from another engine) is printed as it is.
    """
    return WHISPER_LANGUAGES.get(code, code) if code else "english"
