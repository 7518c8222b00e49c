//! Reading lists whose length is bounded before the first element is read. It knows nothing of what they
//! hold.

use minicbor::decode::{Decode, Decoder, Error};

/// Reads a list of at most `MAX` elements; a longer one is refused before memory is taken for it.
pub(crate) fn at_most<'b, C, T: Decode<'b, C>, const MAX: usize>(
    decoder: &mut Decoder<'b>,
    context: &mut C,
) -> Result<Vec<T>, Error> {
    let announced = decoder.array()?;
    if announced.is_some_and(|length| length > MAX as u64) {
        return Err(Error::message("a list is longer than allowed"));
    }
    let mut items = Vec::new();
    loop {
        let done = match announced {
            Some(length) => items.len() as u64 == length,
            None => decoder.datatype()? == minicbor::data::Type::Break,
        };
        if done {
            break;
        }
        if items.len() == MAX {
            return Err(Error::message("a list is longer than allowed"));
        }
        items.push(T::decode(decoder, context)?);
    }
    if announced.is_none() {
        decoder.skip()?;
    }
    Ok(items)
}
