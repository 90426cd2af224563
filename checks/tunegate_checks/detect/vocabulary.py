"""The labels that say what a number is, in Portuguese, English and other European languages.

Labels are in lower case without accents; words of a text are folded the same way before they are
looked up. A phrase of up to three words takes precedence over its first word: "placa de video" is
a graphics card, not a number plate.
"""

from .national_ids import FAMILIES

# Labels of numbers that are no personal data: a number behind one belongs to it.
OTHER_FAMILY = "other"

_FAMILIES: dict[str, str] = {
    "phone": """tel,tels,telef,telefone,telefones,telefonico,fone,fones,celular,celulares,cel,zap,
        zapzap,whats,whatsapp,wpp,wapp,contato,contatos,contacto,telemovel,telemoveis,tlm,ramal,
        recado,ligar,liga,ligue,liguem,ligando,liguei,ligou,ligaram,ligacao,chamar,chama,chame,
        chamem,sms,torpedo,disque,numero novo,novo numero,meu numero,seu numero,telegram,phone,
        phones,telephone,mobile,cell,cellphone,call,calling,called,dial,dialing,reach,reached,
        contact,text me,texted,message to,messages to,texts to,mensagem para,mensagens para,
        mensagem no,fax,voicemail,answering,hotline,landline,my number,his number,her number,
        your number,new number,ring,ph,telefono,telefonos,telefoni,telefonare,telefonami,movil,
        moviles,llamar,llame,llama,llamame,llamenos,llamada,celulares,fijo,telefonico,mi numero,
        portable,telephones,telephoner,telephonez,appeler,appelez,appelle moi,appelez moi,rappelez,
        joindre,mon numero,gsm,telefon,handy,handynummer,telefonnummer,telefonnummern,rufnummer,
        festnetz,mobil,mobilnummer,rufen,anrufen,ruf,erreichbar,kontakt,meine nummer,durchwahl,
        cellulare,cellulari,chiamare,chiamami,chiama,chiamate,contatto,recapito,mio numero""",
    "beside_phone": "office,home,work,mobile,cell,fax,casa,trabalho,escritorio,comercial",
    "cpf": "cpf,cpfs,cpf cnpj,pessoa fisica,documento,doc,titular,contribuinte,receita federal",
    "cnpj": "cnpj,cnpjs,pessoa juridica,documento,razao social",
    "rg": "rg,rgs,identidade,registro geral,identity card,ssp",
    "cnh": "cnh,habilitacao,motorista,condutor,driver license,drivers license",
    "pis": "pis,pasep,nis,nit,fgts,inss,cadunico,cadastro unico,abono salarial,bolsa familia",
    "voter_id": "titulo de eleitor,titulo eleitoral,titulo eleitor,titulo,eleitor,eleitoral",
    "cns": "cns,sus,cartao sus,cartao do sus,cartao nacional,cartao de saude",
    "cep": "cep,codigo postal,ceps,plz,cap,code postal",
    "address": """rua,avenida,av,travessa,alameda,estrada,rodovia,praca,largo,bairro,endereco,
        endereco de entrega,moro,resido,residencia,residente,logradouro,quadra,conjunto,entregar em,
        entrega,address,live at,lives at,ship to,calle,direccion,domicilio,vivo en,adresse,habite,
        livrer,anschrift,wohne,wohnhaft,lieferung,wohnort,indirizzo,abito,consegnare""",
    "cnj": "cnj,processo,processos,autos,processo judicial,acao",
    "renavam": "renavam",
    "ctps": "ctps,carteira de trabalho,carteira profissional",
    "bank": """agencia,ag,conta corrente,conta poupanca,conta salario,numero da conta,
        conta bancaria,c c,conta,poupanca,bank account,account number,account no,checking account,
        acct,savings account,routing,routing number,aba,sort code,cuenta,cuenta corriente,
        numero de cuenta,cuenta bancaria,clabe,cbu,compte bancaire,numero de compte,konto,
        kontonummer,konto nr,bankkonto,conto corrente,numero di conto""",
    "pix": "pix,chave pix,chave aleatoria,chave do pix",
    "plate": """placa,placas,veiculo,carro,moto,automovel,caminhao,license plate,number plate,plate,
        matricula do carro,matricula del coche,targa,targhe,immatriculation,plaque,kennzeichen,
        nummernschild""",
    "card": """cartao,cartoes,cartao de credito,cartao de debito,credito,debito,card,cards,credit,
        debit,credit card,visa,mastercard,master,amex,american express,elo,hipercard,cc,cvv,cvc,
        validade,card number,tarjeta,carte,carte bancaire,carta,karte,kreditkarte""",
    "ssn": "ssn,ssns,social security,social,itin",
    "ip": "ip,ips,ipv,endereco,address,host,server,servidor,login,acesso,firewall,rede,conexao",
    "mac": "mac,endereco fisico,physical address,mac address",
    "birth_date": """nascimento,nasc,nasci,nasceu,nascido,nascida,nascidos,aniversario,
        data de nascimento,data de nasc,dn,dob,born,birth,birthday,birthdate,date of birth,
        nacimiento,fecha de nacimiento,naci,nacio,nacido,nacida,ne le,nee le,naissance,
        date de naissance,geboren,geburtsdatum,geburt,geb,nato,nata,nascita,data di nascita,
        date naissance,data nascita""",
    "vat": """vat,iva,ust idnr,idnr,nif,nipc,contribuinte,ust,ustid,btw,tva,vies,partita,piva,
        umsatzsteuer""",
    "pt_cc": "cartao de cidadao,cartao do cidadao,cartao cidadao,cc,bilhete de identidade",
    OTHER_FAMILY: """pedido,pedidos,order,orders,ordem,protocolo,protocolos,protocol,chamado,
        chamados,ticket,tickets,nota,notas,nota fiscal,nf,nfe,fatura,faturas,invoice,invoices,
        boleto,boletos,codigo,codigos,cod,code,codes,codigo de barras,barras,barcode,digitavel,sku,
        ref,referencia,reference,rastreio,rastreamento,rastrear,tracking,objeto,versao,version,
        versions,build,firmware,release,lote,lot,batch,serie,serial,matricula,processo,processos,
        autos,contrato,contract,cupom,voucher,vale,item,itens,items,peca,modelo,model,produto,
        product,part,ean,gtin,upc,isbn,issn,imei,id,ids,uuid,os,solicitacao,requisicao,request,
        transacao,transaction,hash,commit,sha,sessao,session,trace,compra,encomenda,shipment,
        package,purchase,valor,valores,preco,price,total,apolice,policy,sinistro,case,caso,registro,
        record,clausula,section,secao,artigo,article,capitulo,chapter,pagina,page,account,
        invoice number,order number,processador,chip,kernel,contact form,contact id,placa de video,
        placa mae,placa de rede,placa de som,placa solar,placa grafica,numero de serie,confirmation,
        booking,reserva,localizador,nsu,autorizacao,inscricao estadual,inscricao municipal,chassi,
        conta de luz,conta de agua,conta de energia,conta de telefone,conta de gas,conta contrato,
        factura,facturas,numero de seguimiento,seguimiento,expediente,codigo postal de,envio,
        importe,commande,facture,suivi,dossier,colis,bestellung,bestellnummer,rechnung,
        sendungsnummer,sendung,aktenzeichen,charge,artikelnummer,seriennummer,kundennummer,referenz,
        vertrag,ordine,ordini,fattura,tracciamento,riferimento,pratica,lotto,codice,contratto,
        numero de serie,numero di serie,player,chrome,firefox,flash,reader,driver,java,plugin,
        numero de commande""",
    **FAMILIES,
}


LABELS: dict[str, set[str]] = {}  # the families of each word or phrase
for _family, _phrases in _FAMILIES.items():
    for _phrase in _phrases.split(","):
        LABELS.setdefault(" ".join(_phrase.split()), set()).add(_family)
LENGTHS: dict[str, dict[int, None]] = {}  # of the phrases that begin with a word, longest first
for _words in sorted(map(str.split, LABELS), key=len, reverse=True):
    LENGTHS.setdefault(_words[0], {})[len(_words)] = None
LABEL_WORDS = frozenset(word for phrase in LABELS for word in phrase.split())
